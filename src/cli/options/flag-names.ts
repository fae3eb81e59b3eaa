import type { FailureReason } from "../../batch/index.ts";
import type { JobReference } from "../../store/contract.ts";

/** The options that `pawl run` has too: a job in a module of the user's own takes the others in its code. */
const RUN = new Map([["restart", "--restart"]]);

/** Options of the API by the flag that stands for each, also those whose value has a flag of its own. */
const FLAGS = new Map([
  ...RUN,
  ["append", "--append"],
  ["atLeastOnce", "--at-least-once"],
  ["columns", "--columns"],
  ["comment", "--comment"],
  ["create", "--create"],
  ["dateOrder", "--date-order"],
  ["decimal", "--decimal"],
  ["deleteMissing", "--delete-missing"],
  ["delimiter", "--delimiter"],
  ["encoding", "--encoding"],
  ["escape", "--escape"],
  ["exclude", "--exclude"],
  ["fileColumn", "--file-column"],
  ["include", "--include"],
  ["key", "--key"],
  ["lineColumn", "--line-column"],
  ["lockTimeout", "--lock-timeout"],
  ["looseQuotes", "--loose-quotes"],
  ["map", "--map"],
  ["maxDeletes", "--max-deletes"],
  ["maxQuarantined", "--max-quarantined"],
  ["maxRecordSize", "--max-record"],
  ["move", "--move"],
  ["newer", "--newer"],
  ["nullValues", "--null"],
  ["nullValuesFor", "--null-for"],
  ["onConflict", "--on-conflict"],
  ["overwrite", "--overwrite"],
  ["partitionBy", "--partition-by"],
  ["quote", "--quote"],
  ["quote: null", "--quote none"],
  ["resetSequence", "--reset-sequence"],
  ["set", "--set"],
  ["sheet", "--sheet"],
  ["skipLines", "--skip-lines"],
  ["statementTimeout", "--statement-timeout"],
  ["thousands", "--thousands"],
  ["trim", "--trim"],
  ["unique", "--unique"],
  ["updateIf", "--update-if"],
  ["url", "--into"],
  ["where", "--where"],
]);

/** A text of JSON, in which a backtick is an escape: it would end the code. */
const TEXT = /"(?:[^"\\`]|\\[^`])*"/.source;
const ENTRY = `\\{ (${TEXT}|\\w+): (${TEXT}|\\w+) \\}`;
/** A name or a value of the user's in quotes, unless what looks like its end is the beginning of a text in code. */
const QUOTED = /(?<![^\s(])"[^"]*"(?<!`[a-zA-Z]+: (?:\{ )?")(?=[\s.,:;)]|$)/.source;
const CODE = new RegExp(`${QUOTED}|\`([a-zA-Z]+)(?:: (${ENTRY}|${TEXT}|[^\\s"\`{}]+))?\``, "g");
const WHOLE_ENTRY = new RegExp(`^${ENTRY}$`);

/**
 * A message as a user of the command line needs it. The floors below name the options of their API as code in backticks: `delimiter`,
 * `quote: null`, `append: true`, `map: { "csv": "column" }`; here each becomes its flag. What is not in the table stays as it is, and so
 * does what stands in quotes.
 */
export function withFlags(message: string, flags: ReadonlyMap<string, string> = FLAGS): string {
  return message.replaceAll(CODE, (text, name: string | undefined, value: string | undefined) => {
    if (name === undefined) return text;
    const exact = value === undefined ? undefined : flags.get(`${name}: ${value}`);
    const flag = exact ?? flags.get(name);
    if (flag === undefined) return text;
    return value === undefined || value === "true" || exact !== undefined
      ? flag
      : `${flag} ${flagValue(value)}`;
  });
}

/** A value as a flag takes it: an entry as `csv=column`, a text without quotes. */
function flagValue(value: string): string {
  const [, key, entry] = WHOLE_ENTRY.exec(value) ?? [];
  return key === undefined || entry === undefined ? plain(value) : `${plain(key)}=${plain(entry)}`;
}

/** A text of JSON without its quotes and escapes, but for those of characters that a terminal must not get. */
function plain(text: string): string {
  if (!text.startsWith('"')) return text;
  return text
    .slice(1, -1)
    .replaceAll(/\\(?:(["\\])|u0060)/g, (_, character: string | undefined) => character ?? "`");
}

/** The same for what a run says: only the flags of `pawl run` where its job is in a module of the user's own. */
export function withFlagsOf(job: Pick<JobReference, "module">, message: string): string {
  return withFlags(message, job.module?.startsWith("pawl:") ? FLAGS : RUN);
}

/**
 * Why an item failed, as a user of the command line needs it. Only sentences of Pawl's own name options of its API: what a transform
 * threw, or the server raised, stays as it is.
 */
export function reasonWithFlags(
  job: Pick<JobReference, "module">,
  { reason, code }: Pick<FailureReason, "reason" | "code">,
): string {
  return code !== null && OWN_CODE.test(code) ? withFlagsOf(job, reason) : reason;
}

/** Not a code with the server's SQLSTATE. */
const OWN_CODE = /^(?:csv|postgres)\.(?![0-9A-Z]{5}$)/;

/** By errors of commands: the job whose work ended with each. */
const jobs = new WeakMap<Error, Pick<JobReference, "module">>();

/** Does what a command does for a job, so that what it throws names the flags of that job. */
export async function forJob<T>(job: Pick<JobReference, "module">, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && !jobs.has(error)) jobs.set(error, job);
    throw error;
  }
}

/** The same for a job in a module of the user's own, before it is known. */
export function forOwnJob<T>(work: () => Promise<T>): Promise<T> {
  return forJob({ module: null }, work);
}

/** The message of an error that ended a command. */
export function errorWithFlags(error: Error): string {
  const job = jobs.get(error);
  return job === undefined ? withFlags(error.message) : withFlagsOf(job, error.message);
}
