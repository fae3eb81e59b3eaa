/**
 * Preloaded into a process of Pawl: ends or stops it at the n-th point where something becomes durable, or is about
 * to. A moment in time seldom falls between two commits; a point always does. Does nothing without its variable.
 */
import { writeFileSync } from "node:fs";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { isMainThread } from "node:worker_threads";
import pg from "pg";

/** Holds an `Aim` as JSON. */
export const CRASH_POINT = "CHAOS_CRASH_POINT";

export interface Aim {
  /** From 1 on. Those before a transaction of the store, before and after its commit, and around commits of the target. */
  readonly point: number;
  readonly signal: "SIGKILL" | "SIGSTOP";
  /** A file that is written when the point is reached. */
  readonly marker: string;
}

const aim = process.env[CRASH_POINT];
if (aim !== undefined && isMainThread) install(JSON.parse(aim));

function install({ point, signal, marker }: Aim): void {
  let passed = 0;
  const pass = (what: string): void => {
    if (++passed !== point) return;
    writeFileSync(marker, what);
    process.kill(process.pid, signal);
  };
  const around = <T>(sql: string, work: () => T): T => {
    if (/^\s*BEGIN/i.test(sql)) pass("before BEGIN in the store");
    // Stopped with the store's lock in its hands it would only keep everybody waiting.
    if (/^\s*COMMIT/i.test(sql) && signal === "SIGKILL") pass("before COMMIT in the store");
    const result = work();
    if (/^\s*COMMIT/i.test(sql)) pass("after COMMIT in the store");
    return result;
  };

  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (sql) {
    return around(sql, () => exec.call(this, sql));
  };
  const { run } = StatementSync.prototype;
  StatementSync.prototype.run = function (this: StatementSync, ...values: Parameters<typeof run>) {
    return around(this.sourceSQL, () => run.apply(this, values));
  } as typeof run;

  const prototype = pg.Client.prototype as unknown as { query(...args: unknown[]): unknown };
  const { query } = prototype;
  prototype.query = function (...args) {
    const [first] = args;
    const sql = typeof first === "string" ? first : (first as { text?: string } | undefined)?.text;
    if (sql === undefined || !/\bCOMMIT\b/.test(sql)) return query.apply(this, args);
    pass("before COMMIT in the target");
    const result = query.apply(this, args);
    if (result instanceof Promise) {
      result.then(
        () => pass("after COMMIT in the target"),
        () => {},
      );
    }
    return result;
  };
}
