import { type AnyJob, type PrepareOptions, prepare } from "../../batch/internal.ts";
import type { JobReference } from "../../store/contract.ts";
import type { Store } from "../../store/index.ts";
import type { StateLocation } from "../../store/internal.ts";
import type { RunDatabase } from "../options/database.ts";
import { tell } from "../terminal/output.ts";
import { detach } from "./detach.ts";
import { showDryRun } from "./dry-run.ts";
import { executeAndShow } from "./execute.ts";

/** What every command takes that begins a run. */
export interface StartFlags {
  restart?: boolean;
  dryRun?: boolean;
  detach?: boolean;
  json?: boolean;
}

export interface RunToStart {
  readonly job: AnyJob;
  readonly reference: JobReference;
  readonly store: Store;
  readonly location: StateLocation;
  /** The database that a process in the background has to be told of; null where there is none. */
  readonly database: RunDatabase | null;
  /** A line for people, once the run is prepared. */
  readonly note?: string | undefined;
}

/** Begins the run of a job, or continues the one that was interrupted: in this process, in another one, or only as a dry run. */
export async function startRun(
  { job, reference, store, location, database, note }: RunToStart,
  flags: StartFlags,
): Promise<void> {
  const { restart = false, json = false } = flags;
  const options: PrepareOptions = { store, reference, restart };
  if (flags.dryRun) {
    await showDryRun(await prepare(job, { ...options, dryRun: true }), location, json);
    return;
  }
  const prepared = await prepare(job, options);
  if (note !== undefined) tell(note);
  if (flags.detach) {
    await prepared.sink.close();
    await detach(prepared.run.id, database, location, json);
    return;
  }
  // What is not stored as a URL needs no password again.
  const url = database?.stored.includes("://") ? database.url : undefined;
  await executeAndShow(prepared, location, json, url);
}
