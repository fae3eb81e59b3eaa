import { prepared, type Session } from "./session.ts";
import { scalars, texts } from "./values.ts";

/**
 * Notes until when tasks are kept, in the transaction in which they were settled: those of one time in one row. Their
 * numbers are given as arrays of the server's.
 */
export function retain(session: Session, tasks: readonly (readonly [pruneAt: number, seqs: string])[]): void {
  session.later(RETAIN, [scalars(tasks.map(([pruneAt]) => pruneAt)), texts(tasks.map(([, seqs]) => seqs))]);
}

const RETAIN = prepared(
  `INSERT INTO pawl.retained (prune_at, tasks)
     SELECT r.prune_at, array_agg(s.seq)
     FROM unnest($1::bigint[], $2::text[]) AS r (prune_at, seqs), unnest(r.seqs::bigint[]) AS s (seq)
     GROUP BY r.prune_at`,
);
