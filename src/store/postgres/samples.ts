import { PawlError } from "../../errors.ts";
import type { Json, Sample } from "../contract.ts";
import type { Session } from "./session.ts";
import { fromText, toText } from "./values.ts";

/** How many points of a run's history are kept, besides the latest. */
const KEPT = 400;

/**
 * Adds a point, in a transaction. Points are numbered from 0 and every `stride`-th is kept, as is the latest one. When
 * there are too many the stride doubles, so what is kept always covers the whole life of the run evenly.
 */
export async function addSample(session: Session, run: string, value: Json, location: string): Promise<void> {
  const row = await session.get<{ sample_count: number; sample_stride: number }>(
    "UPDATE pawl.run SET sample_count = sample_count + 1 WHERE id = $1 RETURNING sample_count, sample_stride",
    [run],
  );
  if (row === undefined) throw new PawlError("store.no-such-run", `There is no run ${run} in ${location}.`);
  const number = row.sample_count - 1;
  const stride = row.sample_stride;
  // The point before this one was kept only for being the latest.
  if ((number - 1) % stride !== 0) {
    session.later("DELETE FROM pawl.sample WHERE run_id = $1 AND number = $2", [run, number - 1]);
  }
  session.later(
    "INSERT INTO pawl.sample (run_id, number, at, value) VALUES ($1, $2, (SELECT pawl.now_ms()), $3)",
    [run, number, toText(value) ?? "null"],
  );
  if (number >= KEPT * stride) {
    session.later("UPDATE pawl.run SET sample_stride = $2 WHERE id = $1", [run, stride * 2]);
    session.later("DELETE FROM pawl.sample WHERE run_id = $1 AND number % $2::bigint <> 0 AND number < $3", [
      run,
      stride * 2,
      number,
    ]);
  }
}

export async function listSamples(session: Session, run: string): Promise<Sample[]> {
  const rows = await session.all<{ at: number; value: string }>(
    "SELECT at, value FROM pawl.sample WHERE run_id = $1 ORDER BY number",
    [run],
  );
  return rows.map(({ at, value }) => ({ at, value: fromText(value) }));
}
