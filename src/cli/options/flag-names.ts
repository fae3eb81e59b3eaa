import type { JobReference } from "../../store/contract.ts";

/** The options that `pawl run` has too: a job in a module of the user's own takes the others in its code. */
const RUN = new Map([["restart", "--restart"]]);

/** Options of the API by the flag that stands for each, also those whose value has a flag of its own. */
const FLAGS = new Map([
  ...RUN,
  ["atLeastOnce: true", "--at-least-once"],
  ["columns", "--columns"],
  ["comment", "--comment"],
  ["dateOrder", "--date-order"],
  ["decimal", "--decimal"],
  ["delimiter", "--delimiter"],
  ["encoding", "--encoding"],
  ["escape", "--escape"],
  ["fileColumn", "--file-column"],
  ["key", "--key"],
  ["lineColumn", "--line-column"],
  ["looseQuotes", "--loose-quotes"],
  ["map", "--map"],
  ["maxRecordSize", "--max-record"],
  ["nullValues", "--null"],
  ["nullValuesFor", "--null-for"],
  ["quote", "--quote"],
  ["quote: null", "--quote none"],
  ["set", "--set"],
  ["skipLines", "--skip-lines"],
  ["thousands", "--thousands"],
  ["trim", "--trim"],
  ["unique", "--unique"],
]);

/**
 * A message as a user of the command line needs it. The floors below name the options of their API, in backticks: `delimiter`,
 * `quote: null`; here each becomes its flag. What is not in the table stays as it is.
 */
export function withFlags(message: string, flags: ReadonlyMap<string, string> = FLAGS): string {
  return message.replaceAll(
    /`([a-zA-Z]+)(?:: ([^`]+))?`/g,
    (text, name: string, value: string | undefined) => {
      const exact = value === undefined ? undefined : flags.get(`${name}: ${value}`);
      const flag = exact ?? flags.get(name);
      if (flag === undefined) return text;
      if (value === undefined || exact !== undefined) return flag;
      return `${flag} ${value.replace(/^"([\w.-]+)"$/, "$1")}`;
    },
  );
}

/** The same for what a run says: only the flags of `pawl run` where its job is in a module of the user's own. */
export function withFlagsOf(job: Pick<JobReference, "module">, message: string): string {
  return withFlags(message, job.module?.startsWith("pawl:") ? FLAGS : RUN);
}
