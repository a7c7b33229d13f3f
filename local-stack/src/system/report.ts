export type PartState =
  'obtaining' | 'starting' | 'up' | 'down' | 'restarting' | 'stopped' | 'note';

/** One step of progress. `part` is a name a user knows: redis, kafka, order-service. */
export interface ReportEvent {
  readonly part: string;
  readonly state: PartState;
  readonly message: string;
  readonly elapsedMs?: number;
}

export type Report = (event: ReportEvent) => void;

export type Environment = Readonly<Record<string, string | undefined>>;
