import { isDeepStrictEqual } from "node:util";
import { UNFINISHED } from "../../batch/index.ts";
import { csv } from "../../connect/csv/index.ts";
import { primaryKeyOf } from "../../connect/postgres/index.ts";
import type { RunRecord } from "../../store/contract.ts";
import type { Store } from "../../store/index.ts";
import { LOAD_MODULE } from "../runs/built-in-jobs.ts";
import { type LoadParams, loadKey } from "./job.ts";

/**
 * The same load in the words of the interrupted one that it is: one of both says the delimiter that was found in the file, or the primary
 * key of the table, and the other one leaves it out. Where no load is interrupted that may be the same, neither is looked at.
 */
export async function inWordsOfInterrupted(
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
