import { EventEmitter } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { findProgram } from '../system/find-program.ts';
import type { Environment } from '../system/report.ts';
import type { PartOptions } from './part.ts';
import { SupervisedPart } from './supervised-part.ts';

interface SupervisorEvents {
  up: [{ name: string; elapsedMs: number }];
  down: [{ name: string; reason: string }];
  restarting: [{ name: string; delayMs: number }];
}

/** Keeps processes running: starts them side by side, restarts the ones that end, stops all. */
export class Supervisor extends EventEmitter<SupervisorEvents> {
  readonly #parts = new Map<string, SupervisedPart>();
  readonly #pidFolder: string;
  readonly #deathSignalProgram: string | undefined;

  constructor(options: { pidFolder: string; deathSignalProgram?: string }) {
    super();
    this.#pidFolder = options.pidFolder;
    this.#deathSignalProgram = options.deathSignalProgram;
  }

  add(part: PartOptions): void {
    if (this.#parts.has(part.name)) {
      throw new Error(`There is a part named ${part.name} already`);
    }
    const supervised = new SupervisedPart({
      part,
      pidFolder: this.#pidFolder,
      listener: {
        up: (name, elapsedMs) => this.emit('up', { name, elapsedMs }),
        down: (name, reason) => this.emit('down', { name, reason }),
        restarting: (name, delayMs) => this.emit('restarting', { name, delayMs }),
      },
      deathSignalWrapper: (signal) => this.#wrapper(signal),
    });
    this.#parts.set(part.name, supervised);
  }

  get names(): string[] {
    return [...this.#parts.keys()];
  }

  /** Starts the named parts (all by default) side by side; resolves when every one is up. */
  async start(names: readonly string[] = this.names): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const part = this.#part(name);
        await Promise.all((part.options.after ?? []).map(async (n) => this.waitUntilUp(n)));
        await part.start();
      }),
    );
  }

  async waitUntilUp(name: string): Promise<void> {
    return this.#part(name).waitUntilUp();
  }

  isUp(name: string): boolean {
    return this.#part(name).isUp;
  }

  pid(name: string): number | undefined {
    return this.#part(name).pid;
  }

  /** Sends a signal to a part's process. If it ends from it, it is started again. */
  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): boolean {
    return this.#part(name).kill(signal);
  }

  /** Stops one part, which then stays away until `start([name])`. */
  async stopPart(name: string): Promise<void> {
    return this.#part(name).stop();
  }

  /** Stops all parts: those that need others first, side by side where the order is free. */
  async stop(): Promise<void> {
    const stops = new Map<string, Promise<void>>();
    const stopWithDependents = async (part: SupervisedPart): Promise<void> => {
      const dependents = [...this.#parts.values()].filter((other) =>
        other.options.after?.includes(part.options.name),
      );
      await Promise.all(dependents.map(async (dependent) => stopOnce(dependent)));
      await part.stop();
    };
    const stopOnce = async (part: SupervisedPart): Promise<void> => {
      const known = stops.get(part.options.name) ?? stopWithDependents(part);
      stops.set(part.options.name, known);
      return known;
    };
    await Promise.all([...this.#parts.values()].map(async (part) => stopOnce(part)));
  }

  #part(name: string): SupervisedPart {
    const part = this.#parts.get(name);
    if (part === undefined) {
      throw new Error(`There is no part named ${name}`);
    }
    return part;
  }

  #wrapper(signal: NodeJS.Signals): readonly string[] {
    return this.#deathSignalProgram === undefined
      ? []
      : [this.#deathSignalProgram, `--pdeathsig=${signal.replace('SIG', '')}`];
  }
}

export async function createSupervisor(options: {
  pidFolder: string;
  env: Environment;
}): Promise<Supervisor> {
  await mkdir(options.pidFolder, { recursive: true });
  // On Linux the kernel itself ends the parts when the launcher is killed; elsewhere they are found
  // through their pid files at the next start.
  const deathSignalProgram =
    process.platform === 'linux' ? await findProgram('setpriv', options.env) : undefined;
  return new Supervisor({ pidFolder: options.pidFolder, deathSignalProgram });
}
