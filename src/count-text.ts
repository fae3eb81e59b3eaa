/**
 * A count for people: 15,150. `Intl` says the same, but brings megabytes of the customs of all countries into memory,
 * and a run that may use 128 MB has better uses for them.
 */
export function grouped(count: number | bigint): string {
  const whole = typeof count === "bigint" ? count : Math.round(count);
  return String(whole).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A count with the noun for it, of which one is enough: `1 row`, `2 rows`. */
export function plural(count: number | bigint, one: string): string {
  return `${grouped(count)} ${one}${Number(count) === 1 ? "" : "s"}`;
}
