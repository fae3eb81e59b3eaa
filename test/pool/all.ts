/** All that an iteration gives. */
export async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const gathered: T[] = [];
  for await (const result of results) gathered.push(result);
  return gathered;
}
