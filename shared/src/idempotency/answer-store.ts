/** An answer as it was sent: enough to send the very same again. */
export interface StoredAnswer {
  status: number;
  contentType: string;
  /** Of the answer itself, such as Location and ETag; not those of the exchange. */
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** One request's claim on a key. */
export interface KeyClaim {
  /** Names user, method, route pattern and key. */
  digest: string;
  /** Of everything that is asked for under the key. */
  fingerprint: string;
  /** Names this very request: nobody else finishes or gives up what it has begun. */
  attempt: string;
}

export type Begun =
  /** The key is this request's: it finishes, or gives up, or its lease ends. */
  | { kind: 'begun' }
  | { kind: 'in-progress'; fingerprint: string }
  | { kind: 'finished'; fingerprint: string; answer: StoredAnswer };

/**
 * First final answers by idempotency key. Everything throws AppError `dependency-unavailable` when
 * the store is away: the outcome of a write is then unknown.
 */
export interface AnswerStore {
  /**
   * Takes a key that nobody has, or that its last taker has held for longer than a lease with the
   * same request; says what is there otherwise.
   */
  begin(claim: KeyClaim, times: { now: Date; leaseEndsAt: Date }): Promise<Begun>;
  /** Keeps the answer until `keepUntil`; false when this attempt has the key no more. */
  finish(
    claim: Pick<KeyClaim, 'digest' | 'attempt'>,
    answer: StoredAnswer,
    keepUntil: Date,
  ): Promise<boolean>;
  /** Frees a key under which nothing has happened; a finished one stays. */
  giveUp(claim: Pick<KeyClaim, 'digest' | 'attempt'>): Promise<void>;
}
