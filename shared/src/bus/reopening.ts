interface Connectable {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
}

/**
 * A connection that is opened when it is needed and thrown away when a call on it failed: kafkajs
 * clients that failed once (a topic was deleted, all retries used up) may fail for ever.
 */
export function createReopening<C extends Connectable>(create: () => C | Promise<C>) {
  let open: Promise<C> | undefined;

  async function connect(): Promise<C> {
    const client = await create();
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.disconnect().catch(() => undefined);
      throw error;
    }
  }

  async function use<R>(work: (client: C) => Promise<R>): Promise<R> {
    const current = (open ??= connect());
    try {
      return await work(await current);
    } catch (error) {
      if (open === current) open = undefined;
      void current.then((client) => client.disconnect()).catch(() => undefined);
      throw error;
    }
  }

  async function close(): Promise<void> {
    const current = open;
    open = undefined;
    await current?.then((client) => client.disconnect()).catch(() => undefined);
  }

  return { use, close };
}
