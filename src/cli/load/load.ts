import { existsSync } from "node:fs";
import { access, glob, stat } from "node:fs/promises";
import { resolve } from "node:path";
import {
  redactPath,
  redactPaths,
  type WaitingForInput,
  waitingForInput,
} from "../../connect/csv/internal.ts";
import { PawlError } from "../../errors.ts";
import { fileFormat } from "../../file-format.ts";
import { publicUrl } from "../../postgres-url.ts";
import type { Store } from "../../store/index.ts";
import type { StateLocation } from "../../store/internal.ts";
import { isUrl } from "../../url-scheme.ts";
import { visible } from "../../visible.ts";
import { type DatabaseFlags, databaseFlag, resolveDatabase } from "../options/database.ts";
import {
  given,
  parseAssignments,
  parseCount,
  parsed,
  parseNames,
  parseShare,
  parseSize,
} from "../options/parse.ts";
import { type StartFlags, startRun } from "../runs/start.ts";
import { tell } from "../terminal/output.ts";
import { type CsvFlags, csvOptions } from "./csv-options.ts";
import { asInterruptedLoad, otherLoadNote, refuseAddingAgain } from "./interrupted-loads.ts";
import { hasTypedRows, type LoadParams, type LoadTuning, loadJob, loadReference } from "./job.ts";

/** The flags of `pawl load`, as the command line gives them. */
export interface LoadFlags extends StartFlags, CsvFlags, DatabaseFlags {
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
  transform?: string;
  maxQuarantined?: string;
  memory?: string;
  concurrency?: string;
  unique?: boolean;
  atLeastOnce?: boolean;
  sheet?: string;
}

/** `pawl load FILE… --table T`: begins a load, or resumes the one that was interrupted. */
export async function load(
  files: readonly string[],
  flags: LoadFlags,
  store: Store,
  location: StateLocation,
): Promise<void> {
  const pipe = await pipeAmong(files);
  if (pipe !== undefined) waitingForInput.subscribe(sayWaiting);
  try {
    await begun(files, { pipe, flags }, store, location);
  } finally {
    waitingForInput.unsubscribe(sayWaiting);
  }
}

/** The load waits for a pipe as long as it takes until something is written to it. */
function sayWaiting(message: unknown): void {
  const { name } = message as WaitingForInput;
  tell(visible(`waiting for the first bytes of ${name}: nothing has been written to it yet`));
}

async function begun(
  files: readonly string[],
  { pipe, flags }: { readonly pipe: string | undefined; readonly flags: LoadFlags },
  store: Store,
  location: StateLocation,
): Promise<void> {
  if (flags.detach && pipe !== undefined) {
    throw new PawlError(
      "usage.detach",
      `--detach cannot take ${pipe === "-" ? "standard input" : pipe} along into the background: put it into a file first.`,
    );
  }
  const hidden = flags.detach ? files.find((file) => redactPath(file).endsWith("?…")) : undefined;
  if (hidden !== undefined) {
    throw new PawlError(
      "usage.detach",
      `--detach cannot take the query of ${redactPath(hidden)} along into the background: put the address into the environment and name it env:NAME.`,
    );
  }
  refuseForTyped(files, flags);
  const tuning = { ...tuningOf(flags), given: { folder: process.cwd(), files: redactPaths(files) } };
  const shape = await loadParams(files, flags);
  const database = await resolveDatabase(flags.into, location, databaseFlag(flags, "into"));
  const beside = { url: database.url, store, hasPipe: pipe !== undefined };
  const given: LoadParams = { ...shape, into: database.stored };
  const params = flags.dryRun ? given : await asInterruptedLoad(given, beside);
  if (!flags.dryRun) await refuseAddingAgain(params, beside);
  const job = await loadJob(params, tuning, database.url);
  const notes = [
    params.into === "embedded" ? `embedded PostgreSQL: ${publicUrl(database.url)}` : undefined,
    await otherLoadNote(params, store),
  ].filter((each) => each !== undefined);
  const note = flags.json || notes.length === 0 ? undefined : notes.join("\n");
  await startRun({ job, reference: loadReference(params, tuning), store, location, database, note }, flags);
}

/** Parquet, JSON lines and Excel say themselves how they are read. */
function refuseForTyped(files: readonly string[], flags: LoadFlags): void {
  if (flags.sheet !== undefined && !files.some((file) => fileFormat(file)?.format === "excel"))
    throw new PawlError("usage.sheet", "--sheet is for Excel files, and none is among the files.");
  if (!hasTypedRows(files)) return;
  const [option] = Object.keys(csvOptions(flags));
  if (option !== undefined)
    throw new PawlError(
      "usage.csv-option",
      `The option \`${option}\` says how a CSV is read, and ${files[0] ?? "the file"} is not one: leave it out.`,
    );
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
  return given({
    maxQuarantined: parsed(flags.maxQuarantined, parseShare, "--max-quarantined"),
    memory: parsed(flags.memory, parseSize, "--memory"),
    shards: parsed(flags.concurrency, parseCount, "--concurrency", 1),
    atLeastOnce: flags.atLeastOnce,
    unique: flags.unique,
    maxRecordBytes: parsed(flags.maxRecord, parseSize, "--max-record"),
    maxDeletes: parsed(flags.maxDeletes, parseShare, "--max-deletes"),
  });
}

/**
 * What a load is, in one spelling: what is meant anyway is left out, and what has no order is sorted, so that a load is the same
 * work whether or not a default is said.
 */
export async function loadParams(
  files: readonly string[],
  flags: LoadFlags,
): Promise<Omit<LoadParams, "into">> {
  if (flags.maxDeletes !== undefined && !flags.deleteMissing)
    throw new PawlError(
      "usage.max-deletes",
      "--max-deletes says how many rows --delete-missing may delete: give that too, or leave it out.",
    );
  const onConflict = flags.onConflict;
  if (
    onConflict !== undefined &&
    onConflict !== "update" &&
    onConflict !== "ignore" &&
    onConflict !== "fail"
  ) {
    throw new PawlError("usage.on-conflict", `--on-conflict is update, ignore or fail, not "${onConflict}".`);
  }
  const key = flags.key === undefined ? null : parseNames(flags.key, "--key");
  // What is appended fails on no key, and says so anyway.
  const appends = flags.append && onConflict === "fail";
  return {
    files: await Promise.all(files.map(absolute)),
    table: flags.table.trim(),
    // The order matters for the primary key of a table that is made.
    key: flags.create ? key : (key?.sort() ?? null),
    map: parseAssignments(flags.map ?? [], "--map"),
    set: parseAssignments(flags.set ?? [], "--set"),
    onConflict: (appends ? undefined : onConflict) ?? (flags.create || flags.append ? null : "update"),
    ...(flags.append ? { append: true } : {}),
    ...(flags.updateIf === undefined ? {} : { updateIf: flags.updateIf.trim() }),
    ...(flags.deleteMissing ? { deleteMissing: true } : {}),
    ...(flags.resetSequence ? { resetSequence: true } : {}),
    create: flags.create ?? false,
    transform: flags.transform === undefined ? null : resolve(flags.transform),
    csv: csvOptions(flags),
    ...(flags.sheet === undefined ? {} : { sheet: flags.sheet }),
  };
}

/** Stored paths must mean the same from any working directory. A pattern stays a pattern. */
async function absolute(path: string): Promise<string> {
  if (path === "-" || isUrl(path)) return redactPath(path);
  const full = resolve(path);
  if (/^env:(\w+$|.*:\/\/)/.test(path) && !existsSync(full)) return path;
  const exists = await access(full).then(
    () => true,
    () => false,
  );
  if (exists || !/[*?[\]{}]/.test(path)) return full;
  // Resolving a pattern would be wrong only for its magic characters, and those are not separators.
  for await (const _ of glob(full)) return full;
  throw new PawlError("csv.no-match", `No file matches ${path}: quote the pattern, or check the folder.`);
}
