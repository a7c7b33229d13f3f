import { AppError } from '../errors/index.ts';

export interface BulkheadOptions {
  /** How many may work at the same time. */
  concurrent: number;
  /** How many may wait for that; one more is refused at once. */
  waiting: number;
  /** Longest wait. */
  waitLimitMs: number;
}

export interface Bulkhead {
  /**
   * Resolves when there is room, to a function that gives the room back (calling it again does
   * nothing). Throws `overloaded` when too many wait already or the wait was too long.
   */
  enter(): Promise<() => void>;
}

/** Bounds how much of one kind of work a process takes on, so that the rest stays quick. */
export function createBulkhead(options: BulkheadOptions): Bulkhead {
  let working = 0;
  const waiters = new Set<() => void>();

  function leaveOnce(): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const [next] = waiters;
      // The room goes over to who has waited longest; `working` stays as it is.
      if (next) next();
      else working -= 1;
    };
  }

  return {
    enter: () => {
      if (working < options.concurrent) {
        working += 1;
        return Promise.resolve(leaveOnce());
      }
      if (waiters.size >= options.waiting) return Promise.reject(new AppError('overloaded'));
      return new Promise((resolve, reject) => {
        const admit = () => {
          waiters.delete(admit);
          clearTimeout(timer);
          resolve(leaveOnce());
        };
        const timer = setTimeout(() => {
          waiters.delete(admit);
          reject(new AppError('overloaded'));
        }, options.waitLimitMs);
        waiters.add(admit);
      });
    },
  };
}
