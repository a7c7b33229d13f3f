/** One round trip as the services would make it: connect, authenticate, run a command. */
export async function runMongoCommand(
  url: string,
  command: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  // Loaded only where it is needed: the driver takes a quarter of a second.
  const { mongo } = await import('mongoose');
  const client = new mongo.MongoClient(url, {
    serverSelectionTimeoutMS: 1000,
    connectTimeoutMS: 1000,
    maxPoolSize: 1,
  });
  try {
    return await client.db('admin').command(command);
  } finally {
    await client.close();
  }
}

export async function answersMongo(url: string): Promise<boolean> {
  try {
    await runMongoCommand(url, { ping: 1 });
    return true;
  } catch {
    return false;
  }
}
