import { isDeepStrictEqual } from "node:util";
import { readProgress, UNFINISHED } from "../../batch/internal.ts";
import { csv } from "../../connect/csv/index.ts";
import { sharedFile } from "../../connect/csv/internal.ts";
import { primaryKeyOf, writesToTable } from "../../connect/postgres/internal.ts";
import { grouped } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";
import type { RunRecord } from "../../store/contract.ts";
import type { Store } from "../../store/index.ts";
import { LOAD_MODULE } from "../runs/built-in-jobs.ts";
import { nextCommand } from "../terminal/next-command.ts";
import { type LoadParams, loadKey } from "./job.ts";

/**
 * The same load in the words of the interrupted one that it is: one of both says the delimiter that was found in the file, or the primary
 * key of the table, and the other one leaves it out. Where no load is interrupted that may be the same, neither is looked at.
 */
export async function asInterruptedLoad(
  params: LoadParams,
  { url, store, hasPipe }: { url: string; store: Store; hasPipe: boolean },
): Promise<LoadParams> {
  const runs = (await store.runs({})).filter(
    ({ job, state }) => job.module === LOAD_MODULE && UNFINISHED.includes(state),
  );
  const key = loadKey(params);
  if (runs.some((run) => run.key === key)) return params;
  const rest = restOf(params);
  for (const run of runs) {
    const said = run.job.params as unknown as LoadParams;
    if (restOf(said) !== rest) continue;
    if (!(await sameDelimiter(params, run, hasPipe)) || !(await sameKey(params, said, url))) continue;
    const { delimiter: _, ...reading } = params.csv;
    const { delimiter } = said.csv;
    return {
      ...params,
      key: said.key,
      csv: { ...reading, ...(delimiter === undefined ? {} : { delimiter }) },
    };
  }
  return params;
}

/** What a load is apart from what its file and its table may tell. */
function restOf(params: LoadParams): string {
  const { delimiter: _, ...reading } = params.csv;
  // Its tuning is stored beside it.
  const { tuning: __, ...shape } = params as LoadParams & { tuning?: unknown };
  return loadKey({ ...shape, key: null, csv: reading });
}

async function sameDelimiter(params: LoadParams, run: RunRecord, hasPipe: boolean): Promise<boolean> {
  const said = (run.job.params as unknown as LoadParams).csv.delimiter;
  const saysNow = params.csv.delimiter;
  if (said === saysNow) return true;
  // The delimiter of a pipe shows only as it is read, which is possible once.
  if (saysNow === undefined && hasPipe) return false;
  const before = said ?? (run.details as { dialect?: { delimiter: string } | null }).dialect?.delimiter;
  const now = saysNow ?? (await csv(params.files, params.csv).describe()).dialect?.delimiter;
  return before !== undefined && before === now;
}

async function sameKey(params: LoadParams, said: LoadParams, url: string): Promise<boolean> {
  if (isDeepStrictEqual(params.key, said.key)) return true;
  const given = params.key ?? said.key;
  if (given === null || (params.key !== null && said.key !== null)) return false;
  const primary = await primaryKeyOf(url, params.table);
  return primary !== null && isDeepStrictEqual([...given].sort(), [...primary].sort());
}

/**
 * Refuses to add the rows of a file once more while another load of it, with other options or under other names, has stopped half-way:
 * nothing in the table would tell the rows of both apart. The same load is resumed instead, and `--restart` says that they are known.
 */
export async function refuseAddingAgain(
  params: LoadParams,
  { url, store, hasPipe }: { url: string; store: Store; hasPipe: boolean },
): Promise<void> {
  if (!params.append && params.onConflict !== "fail") return;
  const key = loadKey(params);
  for (const run of await store.runs({})) {
    if (run.job.module !== LOAD_MODULE || run.key === key || !UNFINISHED.includes(run.state)) continue;
    const other = run.job.params as unknown as LoadParams;
    const sameTable =
      (other.into === params.into && other.table === params.table) ||
      (await writesToTable(url, run.id, params.table));
    if (!sameTable) continue;
    const file =
      params.files.find((each) => other.files.includes(each)) ??
      // What comes through a pipe can be read only once.
      (hasPipe ? null : sharedFile(run.identity, (await csv(params.files, params.csv).describe()).identity));
    if (file === null) continue;
    const { counts } = await readProgress(store, run);
    // One that failed has said what it wrote; of one that was killed that is known only when it is resumed.
    if (run.state === "failed" && counts.written === 0) continue;
    throw new PawlError(
      "usage.adding-again",
      `Run ${run.id} adds the rows of ${file} to ${params.table}, begun with other options or under another name, has not ended, and left ${grouped(counts.written)} or more there, ` +
        `which would be added again: continue with pawl resume ${run.id}, or give it up with pawl cancel ${run.id} and delete its rows.`,
    );
  }
}

/** A sentence on another load of the same files into the same table that has not ended, and that this one does not continue. */
export async function otherLoadNote(params: LoadParams, store: Store): Promise<string | undefined> {
  const key = loadKey(params);
  const unfinished = (await store.runs({})).filter(({ state }) => UNFINISHED.includes(state));
  if (unfinished.some((run) => run.key === key)) return undefined;
  const beside = unfinished.find(({ job }) => {
    if (job.module !== LOAD_MODULE) return false;
    const { into, table, files } = job.params as unknown as LoadParams;
    return isDeepStrictEqual([into, table, files], [params.into, params.table, params.files]);
  });
  if (beside === undefined) return undefined;
  return `Run ${beside.id} loads the same into ${params.table} with other options and has not ended: this is a load of its own; ${nextCommand(["resume", beside.id])} continues that one, ${nextCommand(["cancel", beside.id])} gives it up.`;
}
