/** The whole numbers from 0 on, so many of them. */
export function numbers(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
