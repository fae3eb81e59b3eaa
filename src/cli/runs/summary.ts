import { type FailureReason, failureReasons, type RunProgress, type RunSummary } from "../../batch/index.ts";
import { grouped } from "../../count-text.ts";
import { publicUrl } from "../../postgres-url.ts";
import { sizeText } from "../../sizes.ts";
import type { RunRecord, Store } from "../../store/contract.ts";
import { jsonText, visible } from "../../visible.ts";
import { INTO_VARIABLE } from "../options/database.ts";
import { reasonWithFlags, withFlagsOf } from "../options/flag-names.ts";
import { originOf } from "../quarantine/origin.ts";
import { span, unitFor, withUnit } from "../terminal/format.ts";
import { nextCommand } from "../terminal/next-command.ts";
import { print, tell } from "../terminal/output.ts";
import { LOAD_MODULE } from "./built-in-jobs.ts";

/** What the suggestions of next commands depend on. */
export interface Followup {
  /** Its items can be put into a file, fixed there, and replayed from it. */
  readonly fixable: boolean;
  /** It reads standard input, which only the same command can be given again. */
  readonly readsInput: boolean;
  /** The URL of its database brought a password, which is not stored. */
  readonly hasPassword: boolean;
  /** Why items failed, the most frequent reason first. */
  readonly reasons: readonly FailureReason[];
  /** A message of the run with flags in place of the options of the API. */
  readonly inFlags: (message: string) => string;
  /** The same for a reason, which a transform may have given. */
  readonly reasonInFlags: (reason: FailureReason) => string;
}

/** The follow-up of a run; `url` is that of its database in this process. */
export async function followupOf(run: RunRecord, store: Store, url: string | null = null): Promise<Followup> {
  const { job, details } = await originOf(run, store);
  const { files } = (job.params ?? {}) as { files?: readonly string[] };
  const isLoad = job.module === LOAD_MODULE;
  return {
    fixable: isLoad && (details as { dialect?: unknown }).dialect != null,
    readsInput: run.job.module === LOAD_MODULE && files?.includes("-") === true,
    hasPassword: url !== null && publicUrl(url) !== url,
    // A store that does not answer now must not cost the user the summary.
    reasons: await failureReasons(store, run.id).catch(() => []),
    inFlags: (message) => withFlagsOf(job, message),
    reasonInFlags: (reason) => reasonWithFlags(job, reason),
  };
}

/** Reasons shown; the rest are counted by another command. */
const REASONS = 3;

/**
 * Prints the result of a run: one JSON object, or a few lines and what to do next. Why it failed goes to standard
 * error, like every reason for an exit code.
 */
export function printSummary(
  summary: RunSummary,
  { unit }: Pick<RunProgress, "unit">,
  followup: Followup,
  json: boolean,
): void {
  const { run, state } = summary;
  const note = summary.note === undefined ? undefined : followup.inFlags(summary.note);
  const failed = state === "failed" && note !== undefined;
  if (failed) tell(`pawl: ${visible(note).replace(/\.?$/, ".")}`);
  if (json) {
    print(jsonText(summary));
    return;
  }
  const speed = summary.seconds > 0 ? `, ${withUnit(summary.read / summary.seconds, unit)}/s` : "";
  print([
    `run ${run} ${state}${note === undefined || failed ? "" : `: ${note}`}`,
    ...counted(summary, unit),
    ...followup.reasons
      .slice(0, REASONS)
      .map((each) => `${grouped(each.count).padStart(28)} ${visible(followup.reasonInFlags(each))}`),
    ...(followup.reasons.length > REASONS
      ? [`${" ".repeat(29)}and others: ${nextCommand(["quarantine", run, "--by", "reason"])}`]
      : []),
    `  in ${span(summary.seconds * 1000)}${speed}, peak memory ${sizeText(summary.peakMemoryBytes)}`,
    ...next(summary, followup),
  ]);
}

function counted(summary: RunSummary, unit: string): string[] {
  const rows: [string, number, string][] = [
    ["read", summary.read, unitFor(summary.read, unit)],
    ["added", summary.added ?? 0, "by the transform"],
    ["written", summary.written, ""],
    ["unchanged", summary.unchanged, ""],
    ["skipped", summary.skipped, ""],
    ["quarantined", summary.quarantined, ""],
    ["duplicates", summary.duplicates, "whose key came again"],
    ["deleted", summary.deleted ?? 0, "that were in no file"],
  ];
  return rows
    .filter(([label, count]) => count > 0 || label === "read" || label === "written")
    .map(([label, count, what]) => `  ${label.padEnd(12)}${grouped(count).padStart(14)} ${what}`.trimEnd());
}

/** Each command can be pasted as it stands. */
function next(summary: RunSummary, { fixable, readsInput, hasPassword }: Followup): string[] {
  const { run, state } = summary;
  const steps: string[] = [];
  const continues = state === "paused" || state === "failed";
  if (hasPassword && (summary.quarantined > 0 || continues))
    steps.push(
      `  first:        export ${INTO_VARIABLE}=… (the URL of the database again: its password is not stored)`,
    );
  if (summary.quarantined > 0) {
    steps.push(`  see them:     ${nextCommand(["quarantine", run])}`);
    if (fixable) steps.push(`  fix them:     ${nextCommand(["quarantine", "export", run])} > fixed.csv`);
    steps.push(
      `  once fixed:   ${nextCommand(["quarantine", "replay", run, ...(fixable ? ["--from", "fixed.csv"] : [])])}`,
    );
  }
  if (continues) {
    const other = readsInput ? "with the same input" : `or ${nextCommand(["resume", run])}`;
    steps.push(`  continue:     the same command again, ${other}`);
  }
  return steps;
}
