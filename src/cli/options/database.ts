import type { Place } from "../../batch/index.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { publicUrl } from "../../postgres-url.ts";
import type { RunRecord } from "../../store/contract.ts";

/** Where the rows are, or go: the URL to connect with, and the form of it that may be stored and shown. */
export interface Target {
  readonly url: string;
  readonly stored: string;
}

/** Carries the URL with its password to a detached process: the store and the command line never hold it. */
export const INTO_VARIABLE = "PAWL_INTO";

/** Resolves `--into` or `--url`: a URL, `env:NAME`, or nothing for the embedded server, which is started. */
export async function resolveTarget(
  into: string | undefined,
  place: Place,
  flag = "--into",
): Promise<Target> {
  if (into === undefined || into === "embedded") {
    const { startEmbedded } = await import("../../connect/postgres/index.ts");
    const { url } = await startEmbedded(place.postgres);
    return { url, stored: "embedded" };
  }
  if (into.startsWith("env:")) {
    const url = own(process.env, into.slice(4));
    if (!url)
      throw new PawlError("usage.into", `${flag} ${into} names an environment variable that is not set.`);
    return { url: checked(url, flag), stored: into };
  }
  return { url: checked(into, flag), stored: publicUrl(into) };
}

/** The target of a stored run: its password comes from the environment or the usual PostgreSQL files. */
export async function storedTarget(stored: string, place: Place): Promise<string> {
  const given = process.env[INTO_VARIABLE];
  if (given && publicUrl(given) === stored) return given;
  return (await resolveTarget(stored, place)).url;
}

/** Gives `--into` to a stored run: to this process and to those it starts. It brings the password, nothing else. */
export function giveTarget(run: RunRecord, into: string): void {
  const { into: stored } = run.job.params as unknown as { into?: string };
  const url = into.startsWith("env:") ? own(process.env, into.slice(4)) : into;
  if (url === undefined || (into !== stored && publicUrl(checked(url)) !== stored)) {
    throw new PawlError(
      "usage.into",
      `Run ${run.id} works on ${stored ?? "what its job says"}: --into may only name that again, with the password.`,
    );
  }
  process.env[INTO_VARIABLE] = url;
}

function checked(url: string, flag = "--into"): string {
  if (/^postgres(ql)?:\/\//.test(url)) return url;
  throw new PawlError(
    "usage.into",
    `${flag} takes a URL such as postgres://user@host:5432/database, or env:NAME.`,
  );
}
