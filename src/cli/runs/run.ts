import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { assertResumable, prepare } from "../../batch/internal.ts";
import { PawlError } from "../../errors.ts";
import type { RunRecord } from "../../store/contract.ts";
import type { Store } from "../../store/index.ts";
import type { StateLocation } from "../../store/internal.ts";
import { type DatabaseFlags, giveDatabase } from "../options/database.ts";
import { forJob } from "../options/flag-names.ts";
import { parsePairs } from "../options/parse.ts";
import { originOf } from "../quarantine/origin.ts";
import { detach } from "./detach.ts";
import { executeAndShow } from "./execute.ts";
import { importJob, jobOf } from "./resolve-job.ts";
import { type StartFlags, startRun } from "./start.ts";

/** The flags of `pawl run`, as the command line gives them. */
export interface RunFlags extends StartFlags {
  param?: string[];
}

/** The flags of `pawl resume`. */
export interface ResumeFlags extends DatabaseFlags {
  readonly detach?: boolean;
  readonly json?: boolean;
}

/** `pawl run JOB.ts`: begins the job's run, or resumes the one that was interrupted. */
export async function runJob(
  file: string,
  flags: RunFlags,
  store: Store,
  location: StateLocation,
): Promise<void> {
  const path = resolve(file);
  const params = parsePairs(flags.param ?? [], "--param");
  const asked = askedParams(params);
  const job = await importJob(path, asked.params);
  await asked.check(path);
  const reference = { name: job.name, module: pathToFileURL(path).href, params };
  await startRun({ job, reference, store, location, database: null }, flags);
}

/** `pawl resume RUN`: continues an interrupted run, or begins the one that was stored to run detached. */
export async function resume(
  run: RunRecord,
  flags: ResumeFlags,
  store: Store,
  location: StateLocation,
): Promise<void> {
  assertResumable(run);
  giveDatabase(run, flags);
  if (flags.detach) {
    await detach(run.id, null, location, flags.json ?? false);
    return;
  }
  const origin = await originOf(run, store);
  await forJob(origin.job, async () => {
    const job = await jobOf(run, store, location);
    const prepared = await prepare(job, { store, run, reference: run.job });
    await executeAndShow(prepared, location, flags.json ?? false);
  });
}

/** Parameters as a job module gets them, which remember what it asked for. */
export interface AskedParams {
  readonly params: Readonly<Record<string, string>>;
  /** Throws a PawlError `usage.param` for a parameter that the module at this path has no use for. */
  check(path: string): Promise<void>;
}

/**
 * Watches what a job module asks of its parameters, since one that was mistyped would be left out without a word, and
 * the job would do something else than was meant.
 */
export function askedParams(given: Readonly<Record<string, string>>): AskedParams {
  const asked = new Set<string>();
  let asksAll = false;
  const note = (name: string | symbol) => void (typeof name === "string" && asked.add(name));
  const params = new Proxy(given, {
    get: (target, name, receiver) => {
      note(name);
      return Reflect.get(target, name, receiver);
    },
    has: (target, name) => {
      note(name);
      return Reflect.has(target, name);
    },
    getOwnPropertyDescriptor: (target, name) => {
      note(name);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
    ownKeys: (target) => {
      asksAll = true;
      return Reflect.ownKeys(target);
    },
  });
  return {
    params,
    check: async (path) => {
      const unasked = Object.keys(given).filter((name) => !asked.has(name));
      if (asksAll || unasked.length === 0) return;
      // A parameter may also be asked for later, by a transform: then its name stands in the module.
      const source = await readFile(path, "utf8");
      const name = unasked.find((each) => !source.includes(each));
      if (name === undefined) return;
      const others = [...asked].filter((each) => each !== "then" && each !== "toJSON");
      throw new PawlError(
        "usage.param",
        `--param ${name} is not used by ${path}${others.length > 0 ? `, which asks for ${others.join(", ")}` : ""}: check how it is spelled, or leave it out.`,
      );
    },
  };
}
