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

/** Resolves `--into` or `--url`: a URL, `env:NAME`, or nothing for the embedded server, which is started. */
export async function resolveDatabase(
  given: string | undefined,
  location: StateLocation,
  flag: "--into" | "--url",
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
        `${flag} ${given} names an environment variable that is not set.`,
      );
    return { url: checked(url, flag), stored: given };
  }
  return { url: checked(given, flag), stored: publicUrl(given) };
}

/** The database of a stored run: its password comes from the environment or the usual PostgreSQL files. */
export async function storedDatabase(stored: string, location: StateLocation): Promise<string> {
  const given = process.env[INTO_VARIABLE];
  if (given && publicUrl(given) === stored) return given;
  return (await resolveDatabase(stored, location, "--url")).url;
}

/** Gives the database with its password to a stored run: to this process and to those it starts. It may be no other database. */
export function giveDatabase(run: RunRecord, given: string): void {
  const { into: stored } = run.job.params as unknown as { into?: string };
  const name = variableName(given);
  const url = name === null ? given : environmentValue(name);
  if (url === undefined || (given !== stored && publicUrl(checked(url, "--url")) !== stored)) {
    throw new PawlError(
      "usage.database",
      `Run ${run.id} works on ${stored ?? "what its job says"}: --url can only give the same database again, with its password.`,
    );
  }
  process.env[INTO_VARIABLE] = url;
}

function checked(url: string, flag: string): string {
  if (/^postgres(ql)?:\/\//.test(url)) return url;
  throw new PawlError(
    "usage.database",
    `${flag} takes a URL such as postgres://user@host:5432/database, or env:NAME.`,
  );
}
