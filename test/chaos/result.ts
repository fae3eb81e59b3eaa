import type { Ended } from "./loader.ts";

/** The last object that `--json` prints. */
export interface Summary {
  readonly run: string;
  readonly state: string;
  readonly read: number;
  readonly written: number;
  readonly unchanged: number;
  readonly skipped: number;
  readonly quarantined: number;
  readonly duplicates: number;
  readonly seconds: number;
  readonly peakMemoryBytes: number;
  readonly added?: number;
  readonly note?: string;
}

/**
 * - `done`: the work is finished, and the summary says so
 * - `busy`: another process is at this work
 * - `interrupted`: by a signal, by us
 * - `worn`: the run gave up on a task that was killed too often; giving the command again goes on
 * - `failed`: with an error, which is right only where the server failed first
 */
export type LoadResult =
  | { readonly kind: "done"; readonly summary: Summary }
  | { readonly kind: "busy" | "interrupted" | "worn" | "failed" };

export function resultOf({ code, signal, stdout, stderr }: Ended): LoadResult {
  const summary = summaryIn(stdout.toString());
  if (summary?.state === "succeeded") return { kind: "done", summary };
  if (signal !== null || code === 130) return { kind: "interrupted" };
  if (/already running|begun just now/.test(stderr)) return { kind: "busy" };
  if (/poison|crashed|killed/.test(summary?.note ?? stderr)) return { kind: "worn" };
  return { kind: "failed" };
}

function summaryIn(stdout: string): Summary | null {
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && value !== null && "run" in value ? value : null;
  } catch {
    return null;
  }
}

/** Why it gave up, without what differs from run to run. */
export function reasonOf({ stdout, stderr }: Ended): string {
  const text = stderr.trim() || (/"note":("(?:[^"\\]|\\.)*")/.exec(stdout.toString())?.[1] ?? "");
  return text
    .replace(/\b[a-z2-9]{10}\b/g, "RUN")
    .replace(/:\d{4,5}\//g, ":PORT/")
    .replace(/chaos_\d+/g, "DATABASE")
    .replace(/\d+/g, "N");
}

/** How it ended, whole. */
export function endOf({ code, signal, stdout, stderr }: Ended): string {
  return `the command ended with ${signal ?? `exit code ${code}`}: ${stderr.trim()} ${stdout.toString().trim()}`;
}
