import { prepared, type Session } from "./session.ts";
import { scalars } from "./values.ts";

/** A task that was settled, and until when it is kept. */
export interface Retained {
  readonly seq: number;
  readonly pruneAt: number;
}

/** Notes until when tasks are kept, in the transaction in which they were settled: those of one time in one row. */
export function retain(session: Session, tasks: readonly Retained[]): void {
  session.later(RETAIN, [scalars(tasks.map(({ pruneAt }) => pruneAt)), scalars(tasks.map(({ seq }) => seq))]);
}

const RETAIN = prepared(
  `INSERT INTO pawl.retained (prune_at, tasks)
     SELECT r.prune_at, array_agg(r.seq) FROM unnest($1::bigint[], $2::bigint[]) AS r (prune_at, seq)
     GROUP BY r.prune_at`,
);
