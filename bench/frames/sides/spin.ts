/** Takes a millisecond of processor time a row, which no engine can do for it. */
export function spin({ id }: { readonly id: BigInt64Array }): { done: BigInt64Array } {
  const done = new BigInt64Array(id.length);
  for (let row = 0; row < id.length; row++) {
    const until = performance.now() + 1;
    while (performance.now() < until);
    done[row] = id[row] as bigint;
  }
  return { done };
}
