/**
 * Turns single look-ups into few large ones: while one is under way, the keys of others gather for
 * the next. A herd of reconnecting clients then costs some queries, not one each.
 */
export function gather<V>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>,
  limit: number,
): (key: string) => Promise<V | undefined> {
  interface Waiting {
    key: string;
    resolve: (value: V | undefined) => void;
    reject: (error: unknown) => void;
  }
  const queue: Waiting[] = [];
  let running = false;

  async function run(): Promise<void> {
    running = true;
    await Promise.resolve();
    while (queue.length > 0) {
      const batch = queue.splice(0, limit);
      try {
        const found = await load([...new Set(batch.map(({ key }) => key))]);
        for (const { key, resolve } of batch) resolve(found.get(key));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running = false;
  }

  return (key) =>
    new Promise((resolve, reject) => {
      queue.push({ key, resolve, reject });
      if (!running) void run();
    });
}
