/** A condition that a column is one of some different numbers, and its values. */
export interface Among {
  readonly sql: string;
  readonly values: readonly (number | string)[];
}

/**
 * Tasks that follow each other, as those of one batch do, are one range of the table: SQLite changes its rows as it walks
 * it, and need not note first which they are.
 */
export function among(seqs: readonly number[]): Among {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const seq of seqs) {
    if (seq < least) least = seq;
    if (seq > most) most = seq;
  }
  if (most - least + 1 === seqs.length) return { sql: "seq BETWEEN ? AND ?", values: [least, most] };
  return { sql: "seq IN (SELECT value FROM json_each(?))", values: [JSON.stringify(seqs)] };
}
