import { existsSync } from "node:fs";
import { access, glob, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Place, parseMaxBad } from "../batch/index.ts";
import { keptPath, keptPaths } from "../connect/csv/index.ts";
import { PawlError } from "../errors.ts";
import { publicUrl } from "../postgres-url.ts";
import type { Store } from "../store/index.ts";
import { refuseAddingAgain } from "./adding-again.ts";
import { type BeginFlags, begin } from "./begin.ts";
import { type CsvFlags, csvOptions } from "./csv-flags.ts";
import { type LoadParams, type LoadTuning, loadJob, loadReference } from "./load-job.ts";
import { parseCount, parseNames, parsePairs, parseSize } from "./sizes.ts";
import { resolveTarget } from "./target.ts";

/** The flags of `pawl load`, as the command line gives them. */
export interface LoadFlags extends BeginFlags, CsvFlags {
  into?: string;
  table: string;
  key?: string;
  map?: string[];
  set?: string[];
  onConflict?: string;
  append?: boolean;
  updateIf?: string;
  deleteMissing?: boolean;
  maxDeletes?: string;
  resetSequence?: boolean;
  create?: boolean;
  step?: string;
  maxBad?: string;
  memory?: string;
  concurrency?: string;
  unique?: boolean;
  atLeastOnce?: boolean;
}

/** `pawl load FILE… --table T`: begins a load, or resumes the one that was interrupted. */
export async function load(
  files: readonly string[],
  flags: LoadFlags,
  store: Store,
  place: Place,
): Promise<void> {
  const pipe = flags.detach ? await pipeAmong(files) : undefined;
  if (pipe !== undefined) {
    throw new PawlError(
      "usage.detach",
      `--detach cannot take ${pipe === "-" ? "standard input" : pipe} along into the background: put it into a file first.`,
    );
  }
  const hidden = flags.detach ? files.find((file) => keptPath(file).endsWith("?…")) : undefined;
  if (hidden !== undefined) {
    throw new PawlError(
      "usage.detach",
      `--detach cannot take the query of ${keptPath(hidden)} along into the background: put the address into the environment and name it env:NAME.`,
    );
  }
  const tuning = { ...tuningOf(flags), given: { folder: process.cwd(), files: keptPaths(files) } };
  const shape = await shapeOf(files, flags);
  const target = await resolveTarget(flags.into, place);
  const params: LoadParams = { ...shape, into: target.stored };
  if (!flags.dryRun) await refuseAddingAgain(params, store);
  const job = await loadJob(params, tuning, target.url);
  const note =
    params.into === "embedded" && !flags.json
      ? `embedded PostgreSQL: ${publicUrl(target.url)} (pawl postgres url)`
      : undefined;
  await begin({ job, reference: loadReference(params, tuning), store, place, target, note }, flags);
}

async function pipeAmong(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const stats = file === "-" ? undefined : await stat(file).catch(() => undefined);
    if (file === "-" || stats?.isFIFO() || stats?.isCharacterDevice()) return file;
  }
  return undefined;
}

const MB = 1024 * 1024;
/** Bytes that the longest row costs for each of its own while it is read, checked and sent: 3.5 measured. */
const RECORD_WEIGHT = 4;
const WITHOUT_DATA = 112 * MB;

/** A row is held whole, so the longest one that is accepted must fit into the memory that is granted. */
function checkRecordFits(flags: LoadFlags): void {
  if (flags.maxRecord === undefined) return;
  const needed = WITHOUT_DATA + RECORD_WEIGHT * parseSize(flags.maxRecord, "--max-record");
  if (needed <= parseSize(flags.memory ?? "256MB", "--memory")) return;
  throw new PawlError(
    "usage.max-record",
    `--max-record ${flags.maxRecord} may take ${Math.ceil(needed / MB)} MB of memory: add --memory ${Math.ceil(needed / MB)}MB, or accept shorter rows only.`,
  );
}

function tuningOf(flags: LoadFlags): LoadTuning {
  checkRecordFits(flags);
  if (flags.maxBad !== undefined) parseMaxBad(flags.maxBad);
  return {
    ...(flags.maxBad === undefined ? {} : { maxBad: flags.maxBad as `${number}%` }),
    ...(flags.memory === undefined ? {} : { memory: parseSize(flags.memory, "--memory") }),
    ...(flags.concurrency === undefined
      ? {}
      : { concurrency: parseCount(flags.concurrency, "--concurrency", 1) }),
    ...(flags.atLeastOnce ? { atLeastOnce: true } : {}),
    ...(flags.maxDeletes === undefined ? {} : { maxDeletes: flags.maxDeletes as `${number}%` }),
  };
}

async function shapeOf(files: readonly string[], flags: LoadFlags): Promise<Omit<LoadParams, "into">> {
  const onConflict = flags.onConflict;
  if (
    onConflict !== undefined &&
    onConflict !== "update" &&
    onConflict !== "ignore" &&
    onConflict !== "fail"
  ) {
    throw new PawlError("usage.on-conflict", `--on-conflict is update, ignore or fail, not "${onConflict}".`);
  }
  return {
    files: await Promise.all(files.map(absolute)),
    table: flags.table,
    key: flags.key === undefined ? null : parseNames(flags.key, "--key"),
    map: parsePairs(flags.map ?? [], "--map"),
    set: parsePairs(flags.set ?? [], "--set"),
    // What is meant anyway is the same load, whether it is said or not: one begun in either way is resumed by the other.
    onConflict: onConflict ?? (flags.create || flags.append ? null : "update"),
    ...(flags.append ? { append: true } : {}),
    ...(flags.updateIf === undefined ? {} : { updateIf: flags.updateIf }),
    ...(flags.deleteMissing ? { deleteMissing: true } : {}),
    ...(flags.resetSequence ? { resetSequence: true } : {}),
    create: flags.create ?? false,
    unique: flags.unique ?? false,
    step: flags.step === undefined ? null : resolve(flags.step),
    csv: csvOptions(flags),
  };
}

/** Stored paths must mean the same from any working directory. A pattern stays a pattern. */
async function absolute(path: string): Promise<string> {
  if (path === "-" || /^[a-z][a-z0-9+.-]+:\/\//i.test(path)) return keptPath(path);
  const full = resolve(path);
  if (/^env:\w+$/.test(path) && !existsSync(full)) return path;
  const exists = await access(full).then(
    () => true,
    () => false,
  );
  if (exists || !/[*?[\]{}]/.test(path)) return full;
  // Resolving a pattern would be wrong only for its magic characters, and those are not separators.
  for await (const _ of glob(full)) return full;
  throw new PawlError("csv.no-match", `No file matches ${path}: quote the pattern, or check the folder.`);
}
