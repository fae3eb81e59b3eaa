/** What a number must be but for its last digits, which differ between engines. */
export function nearly(wanted: number): (value: unknown) => boolean {
  return (value) =>
    typeof value === "number" && Math.abs(value - wanted) <= 1e-12 * Math.max(1, Math.abs(wanted));
}
