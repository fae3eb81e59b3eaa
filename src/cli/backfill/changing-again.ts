import { UNFINISHED } from "../../batch/index.ts";
import { PawlError } from "../../errors.ts";
import { comparableUrl } from "../../postgres-url.ts";
import type { Store } from "../../store/index.ts";
import { BACKFILL_MODULE } from "../runs/built-in-jobs.ts";
import { hint } from "../terminal/hint.ts";
import { type BackfillParams, backfillKey } from "./job.ts";

/**
 * Refuses a backfill that is an interrupted one in other words: it would begin anew, and change rows again that are changed. Words
 * differ by blanks, by the schema before the table, and by quotes and capitals of its name.
 */
export async function refuseChangingAgain(params: BackfillParams, store: Store): Promise<void> {
  const key = backfillKey(params);
  const unfinished = (await store.runs({})).filter(
    ({ job, state }) => job.module === BACKFILL_MODULE && UNFINISHED.includes(state),
  );
  if (unfinished.some((run) => run.key === key)) return;
  const run = unfinished.find(({ job }) =>
    isSameInOtherWords(job.params as unknown as BackfillParams, params),
  );
  if (run === undefined) return;
  throw new PawlError(
    "usage.changing-again",
    `Run ${run.id} is the same backfill of ${(run.job.params as unknown as BackfillParams).table} in other words and has not ended: rows that it has changed would be changed again; ` +
      `go on with ${hint(["resume", run.id])}, or give it up with ${hint(["cancel", run.id])}.`,
  );
}

function isSameInOtherWords(one: BackfillParams, other: BackfillParams): boolean {
  if (comparableUrl(one.into) !== comparableUrl(other.into)) return false;
  const [a, b] = [nameOf(one.table), nameOf(other.table)];
  if (a.name !== b.name || (a.schema !== null && b.schema !== null && a.schema !== b.schema)) return false;
  return work(one) === work(other);
}

function work({ set, where, step }: BackfillParams): string {
  const assignments = Object.entries(set).map(([column, expression]) => [column, squeezed(expression)]);
  return JSON.stringify([assignments.sort(), squeezed(where ?? ""), step]);
}

/** Without blanks but those in quotes. */
function squeezed(sql: string): string {
  return sql.replace(/('(?:[^']|'')*'|"(?:[^"]|"")*")|\s+/g, (_, quoted?: string) => quoted ?? "");
}

function nameOf(table: string): { schema: string | null; name: string } {
  const [name = "", schema = null] = table.toLowerCase().replaceAll('"', "").split(".").reverse();
  return { schema, name };
}
