/** The middle of the milliseconds that the work took, of so many rounds. */
export async function medianOf(rounds: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return Number((times.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0).toFixed(1));
}
