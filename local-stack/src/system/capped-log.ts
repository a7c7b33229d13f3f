import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

/**
 * A log file with an end: at its limit it is renamed to `<file>.1` and a new one begun. FerretDB
 * writes a line for every lost race and cannot be told not to.
 */
export class CappedLog {
  readonly #path: string;
  readonly #limitBytes: number;
  #descriptor: number;
  #sizeBytes: number;

  constructor(path: string, limitBytes = 16 * 1024 * 1024) {
    this.#path = path;
    this.#limitBytes = limitBytes;
    this.#descriptor = openSync(path, 'a', 0o600);
    this.#sizeBytes = fstatSync(this.#descriptor).size;
  }

  write(bytes: Uint8Array): void {
    if (this.#descriptor < 0) {
      return;
    }
    if (this.#sizeBytes + bytes.length > this.#limitBytes) {
      closeSync(this.#descriptor);
      renameSync(this.#path, `${this.#path}.1`);
      this.#descriptor = openSync(this.#path, 'a', 0o600);
      this.#sizeBytes = 0;
    }
    // Synchronous on purpose: the last words of a dying part must be in the file when its end is
    // reported.
    this.#sizeBytes += writeSync(this.#descriptor, bytes);
  }

  close(): void {
    if (this.#descriptor >= 0) {
      closeSync(this.#descriptor);
      this.#descriptor = -1;
    }
  }
}
