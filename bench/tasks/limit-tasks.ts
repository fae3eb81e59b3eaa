/** Tasks that never end by themselves, and some that do. Each of the first says when it began, and in which process. */
import { scryptSync } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { task } from "../../dist/tasks/index.js";
import { load } from "./peers.ts";

export const HARD_MS = 1_000;

/** Where it says so. */
export interface Place {
  readonly file: string;
}

export interface Beginning {
  readonly pid: number;
  /** Nanoseconds since the start of the machine. */
  readonly at: string;
}

const limited = { queue: "limits", retries: 0, hardLimit: HARD_MS, module: import.meta };

function begin({ file }: Place): void {
  const beginning: Beginning = { pid: process.pid, at: String(process.hrtime.bigint()) };
  // Whole or not at all, for who reads it meanwhile.
  writeFileSync(`${file}.new`, JSON.stringify(beginning));
  renameSync(`${file}.new`, file);
}

export const kinds = {
  spin: task({ name: "spin", ...limited }, (place: Place) => {
    begin(place);
    for (;;);
  }),
  regex: task({ name: "regex", ...limited }, (place: Place) => {
    begin(place);
    // Each further letter doubles the time: forty take hours.
    return /^(a+)+$/.test(`${"a".repeat(40)}!`);
  }),
  scrypt: task({ name: "scrypt", ...limited }, (place: Place) => {
    begin(place);
    // One call of some minutes, in which no JavaScript runs.
    scryptSync("password", "salt", 64, { N: 2 ** 20, r: 8, p: 64, maxmem: 2 ** 31 });
  }),
  resize: task({ name: "resize", ...limited }, async (place: Place) => {
    begin(place);
    const { default: sharp } = await load("sharp");
    const side = 16_000;
    const image = sharp({ create: { width: side, height: side, channels: 3, background: "red" } });
    await image
      .resize(side - 1, side - 1, { kernel: "lanczos3" })
      .blur(200)
      .png()
      .toBuffer();
  }),
  leak: task({ name: "leak", ...limited }, async (place: Place) => {
    begin(place);
    const kept: Uint8Array[] = [];
    for (;;) {
      kept.push(new Uint8Array(2 ** 20).fill(1));
      await sleep(2);
    }
  }),
};

/** Waits a little, beside the others on the worker's own loop. */
export const here = task({ name: "here", queue: "neighbours" }, async () => {
  await sleep(300);
});

/** The same in a child of the same kind as those that are killed. */
export const child = task(
  { name: "child", queue: "neighbours", isolate: "process", module: import.meta },
  async () => {
    await sleep(300);
  },
);
