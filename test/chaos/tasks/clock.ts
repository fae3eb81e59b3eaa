/**
 * Preloaded into a process: its wall clock shows what a file says it is ahead. Another process writes the file, so that the
 * clock jumps while the process runs. The monotonic clock is left alone, as it is when a clock is set.
 */
import { openSync, readSync, writeSync } from "node:fs";

/** Names the file. */
export const CLOCK = "CHAOS_CLOCK";

/** A number of this many characters is written and read in one piece. */
const WIDTH = 16;

/** A clock that is set from outside. */
export class ClockFile {
  readonly path: string;
  readonly #file: number;
  #aheadMs = 0;

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, "w+");
    this.jump(0);
  }

  jump(byMs: number): void {
    this.#aheadMs += byMs;
    writeSync(this.#file, String(this.#aheadMs).padEnd(WIDTH), 0);
  }
}

const path = process.env[CLOCK];
if (path !== undefined) install(path);

function install(path: string): void {
  const file = openSync(path, "r");
  const buffer = Buffer.alloc(WIDTH);
  const { now } = Date;
  Date.now = () => {
    readSync(file, buffer, 0, WIDTH, 0);
    return now() + Number(buffer.toString("latin1"));
  };
  globalThis.Date = new Proxy(Date, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [Date.now()] : args, newTarget),
  });
}
