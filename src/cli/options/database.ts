import { environmentValue, variableName } from "../../environment.ts";
import { PawlError } from "../../errors.ts";
import { publicUrl } from "../../postgres-url.ts";
import type { RunRecord } from "../../store/contract.ts";
import type { StateLocation } from "../../store/internal.ts";

/** Where the rows are, or go: the URL to connect with, and the form of it that may be stored and shown. */
export interface RunDatabase {
  readonly url: string;
  readonly stored: string;
}

/** Carries the URL with its password to a detached process: the store and the command line never hold it. */
export const INTO_VARIABLE = "PAWL_INTO";

/** The database as one of the two words of `databaseOption` gives it. */
export interface DatabaseFlags {
  readonly into?: string;
  readonly url?: string;
}

/** The word that was typed. A command whose own word is `own` finds the value of the other one there too, beside where it was given. */
export function databaseFlag(flags: DatabaseFlags, own: "into" | "url"): "--into" | "--url" {
  const other = own === "into" ? "url" : "into";
  return `--${flags[other] === undefined ? own : other}`;
}

/**
 * Resolves what names a database: a URL, `env:NAME`, or nothing for the embedded server, which is started. `source` is where that was
 * given, such as `--into`.
 */
export async function resolveDatabase(
  given: string | undefined,
  location: StateLocation,
  source: string,
): Promise<RunDatabase> {
  if (given === undefined || given === "embedded") {
    const { startEmbedded } = await import("../../connect/postgres/index.ts");
    const { url } = await startEmbedded(location.postgres);
    return { url, stored: "embedded" };
  }
  const name = variableName(given);
  if (name !== null) {
    const url = environmentValue(name);
    if (url === undefined)
      throw new PawlError(
        "usage.database",
        `${source} ${given} names an environment variable that is not set.`,
      );
    return { url: checked(url, source), stored: given };
  }
  return { url: checked(given, source), stored: publicUrl(given) };
}

/** The database of a stored run: its password comes from the environment or the usual PostgreSQL files. */
export async function storedDatabase(stored: string, location: StateLocation): Promise<string> {
  const given = process.env[INTO_VARIABLE];
  if (given && publicUrl(given) === stored) return given;
  return (await resolveDatabase(stored, location, "The database")).url;
}

/** Gives the database with its password to a stored run: to this process and to those it starts. It may be no other database. */
export function giveDatabase(run: RunRecord, flags: DatabaseFlags): void {
  const { url: given } = flags;
  if (given === undefined) return;
  const flag = databaseFlag(flags, "url");
  const { into: stored } = run.job.params as unknown as { into?: string };
  const name = variableName(given);
  const url = name === null ? given : environmentValue(name);
  if (url === undefined || (given !== stored && publicUrl(checked(url, flag)) !== stored)) {
    throw new PawlError(
      "usage.database",
      `Run ${run.id} works on ${stored ?? "what its job says"}: ${flag} can only give the same database again, with its password.`,
    );
  }
  process.env[INTO_VARIABLE] = url;
}

function checked(url: string, source: string): string {
  if (/^postgres(ql)?:\/\//.test(url)) return url;
  throw new PawlError(
    "usage.database",
    `${source} takes a URL such as postgres://user@host:5432/database, or env:NAME.`,
  );
}
