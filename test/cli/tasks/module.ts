import { task } from "../../../src/tasks/index.ts";

export const work = task({ name: "work", queue: "q" }, async (_: unknown, { signal, progress, log }) => {
  log("at it");
  await progress(50, 100, "drawing");
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
});

export const first = task({ name: "first", queue: "q" }, () => 1);
export const second = task({ name: "second", queue: "q" }, (n: number) => n + 1);
