import CircuitBreaker from 'opossum';
import { unavailable } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';

const windowMs = 10_000;
/** Fewer requests in a window say nothing. */
const leastRequests = 20;
/** The library opens above its limit; this one opens at 50 %. */
const failurePercentage = 49.99;
const pauseMs = 1_000;

export interface BreakerOptions {
  name: string;
  log: Logger;
  /** Told at each change; half-open counts as open, since all but one are refused. */
  onChange: (isOpen: boolean) => void;
}

/** One request to the upstream; the first outcome that is told counts. */
export interface Attempt {
  /** It was answered, whatever the answer, or its client no longer waits. */
  end(): void;
  /** The connection was refused, reset or timed out. */
  fail(error: Error): void;
}

export interface Breaker {
  /** Throws `dependency-unavailable` while the upstream is left alone. */
  refuseWhileOpen(): void;
  /** Begins an attempt, or throws as above. Its outcome must be told. */
  begin(): Attempt;
  close(): void;
}

/**
 * Leaves an upstream alone that does not answer: its buyers are told so at once instead of after
 * their whole time limit, and it can come up in peace. Once in a while one request tries.
 */
export function createBreaker(options: BreakerOptions): Breaker {
  const { name, log, onChange } = options;
  const circuit = new CircuitBreaker((outcome: Promise<void>) => outcome, {
    name,
    timeout: false,
    rollingCountTimeout: windowMs,
    volumeThreshold: leastRequests,
    errorThresholdPercentage: failurePercentage,
    resetTimeout: pauseMs,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
  });
  onChange(false);
  circuit.on('open', () => {
    onChange(true);
    log.warn({ upstream: name }, 'upstream is left alone');
  });
  circuit.on('close', () => {
    onChange(false);
    log.info({ upstream: name }, 'upstream answers again');
  });

  function refuseWhileOpen(): void {
    // The library would count what it refuses among its requests, and open too late the next time.
    if (!circuit.closed && !circuit.pendingClose) throw unavailable(`${name} does not answer`);
  }

  return {
    refuseWhileOpen,
    begin: () => {
      refuseWhileOpen();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      circuit.fire(promise).catch(() => undefined);
      return { end: resolve, fail: reject };
    },
    close: () => circuit.shutdown(),
  };
}
