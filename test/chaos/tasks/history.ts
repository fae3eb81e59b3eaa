import { mkdirSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** What a worker asked the store to write about one claim. */
export interface SettleRequest {
  readonly id: string;
  readonly fence: number;
  /** The result's `state`. */
  readonly result: string;
}

/** What a process did, or was told. Where there is a `since`, the call began then and was answered at `t`. */
export type Happening =
  | {
      readonly what: "claimed";
      readonly since: number;
      readonly claims: readonly (readonly [string, number])[];
    }
  | { readonly what: "settling"; readonly call: number; readonly settlements: readonly SettleRequest[] }
  | { readonly what: "settled"; readonly call: number; readonly lost: readonly string[] }
  | { readonly what: "unsettled"; readonly call: number; readonly error: string }
  | { readonly what: "progressed"; readonly since: number; readonly id: string; readonly fence: number }
  | { readonly what: "enqueued"; readonly since: number; readonly ids: readonly string[] }
  | { readonly what: "ticked"; readonly schedule: string; readonly ids: readonly string[] }
  /** A producer was given a handle; `created` says whether this call stored it. */
  | {
      readonly what: "asked";
      readonly since: number;
      readonly id: string;
      readonly kind: string;
      readonly key: string | null;
      readonly created: boolean;
    }
  | { readonly what: "cancelling"; readonly id: string }
  | { readonly what: "cancelled"; readonly id: string; readonly reached: boolean }
  /** A handler began, and returned. */
  | { readonly what: "began"; readonly id: string; readonly fence: number }
  | { readonly what: "ended"; readonly id: string; readonly fence: number; readonly token: string }
  /** The run itself did something to a process, or to all. */
  | { readonly what: "fault"; readonly kind: string; readonly target: string; readonly note: string };

export type Entry = Happening & {
  /** Milliseconds by the machine's monotonic clock, which all its processes share and which is never set. */
  readonly t: number;
  /** Who wrote it: a role and a process id. */
  readonly by: string;
};

/** Where the processes of a run write, and what they are called. */
export const HISTORY = "CHAOS_HISTORY";
export const ROLE = "CHAOS_ROLE";

export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** What one process did, written line by line: what it has written is there, however it ends. */
export class History {
  readonly #file: number;

  constructor(folder: string, role: string) {
    mkdirSync(folder, { recursive: true });
    this.#file = openSync(join(folder, `${role} (${process.pid}).jsonl`), "a");
  }

  write(happening: Happening): void {
    writeSync(this.#file, `${JSON.stringify({ t: monotonicMs(), ...happening })}\n`);
  }
}

let own: History | undefined;

/** The history of this process. */
export function ownHistory(): History {
  own ??= new History(process.env[HISTORY] as string, process.env[ROLE] as string);
  return own;
}

/** What all processes wrote, in the order in which it happened. */
export function readHistory(folder: string): Entry[] {
  const entries = readdirSync(folder).flatMap((name) => {
    const by = name.slice(0, -".jsonl".length);
    const lines = readFileSync(join(folder, name), "utf8").split("\n");
    // Nothing stands behind the last newline, unless its writer was killed in the middle of a line.
    lines.pop();
    return lines.map((line) => ({ by, ...JSON.parse(line) }) as Entry);
  });
  return entries.sort((a, b) => a.t - b.t);
}
