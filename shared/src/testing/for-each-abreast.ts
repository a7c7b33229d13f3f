/** Does `work` for every item, for so many at the same time. */
export async function forEachAbreast<T>(
  items: readonly T[],
  abreast: number,
  work: (item: T, index: number) => Promise<unknown>,
): Promise<void> {
  // One iterator for all: whoever is done takes the next item.
  const left = items.entries();
  const workers = Array.from({ length: abreast }, async () => {
    for (const [index, item] of left) await work(item, index);
  });
  await Promise.all(workers);
}
