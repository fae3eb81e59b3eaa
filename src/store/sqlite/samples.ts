import { PawlError } from "../../errors.ts";
import type { Json, Sample } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { fromText, toText } from "./values.ts";

/** How many points of a run's history are kept, besides the latest. */
const KEPT = 400;

/**
 * Adds a point, in a transaction. Points are numbered from 0 and every `stride`-th is kept, as is the latest one. When
 * there are too many the stride doubles, so what is kept always covers the whole life of the run evenly.
 */
export function addSample(db: Connection, run: string, value: Json): void {
  const row = db.get<{ sample_count: number; sample_stride: number }>(
    "UPDATE run SET sample_count = sample_count + 1 WHERE id = ? RETURNING sample_count, sample_stride",
    run,
  );
  if (row === undefined)
    throw new PawlError("store.no-such-run", `There is no run ${run} in ${db.location}.`);
  const number = row.sample_count - 1;
  const stride = row.sample_stride;
  // The point before this one was kept only for being the latest.
  if ((number - 1) % stride !== 0) {
    db.run("DELETE FROM sample WHERE run_id = ? AND number = ?", run, number - 1);
  }
  db.run(
    "INSERT INTO sample (run_id, number, at, value) VALUES (?, ?, ?, ?)",
    run,
    number,
    db.clock.wall(),
    toText(value),
  );
  if (number >= KEPT * stride) {
    db.run("UPDATE run SET sample_stride = ? WHERE id = ?", stride * 2, run);
    db.run("DELETE FROM sample WHERE run_id = ? AND number % ? <> 0 AND number < ?", run, stride * 2, number);
  }
}

export function listSamples(db: Connection, run: string): Sample[] {
  const sql = "SELECT at, value FROM sample WHERE run_id = ? ORDER BY number";
  return db
    .all<{ at: number; value: string }>(sql, run)
    .map(({ at, value }) => ({ at, value: fromText(value) }));
}
