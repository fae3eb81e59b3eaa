/**
 * A count for people: 15,150. `Intl` says the same, but brings megabytes of the customs of all countries into memory,
 * and a run that may use 128 MB has better uses for them.
 */
export function grouped(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}
