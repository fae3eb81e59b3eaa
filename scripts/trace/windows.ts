import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, channel, filesCalled } from "./coverage.ts";

/** How long other threads have to answer: they may be at work. */
const ANSWER_MS = 300;
let asked = 0;

/** The files in which any thread of this program called a function since the last time. */
export async function calledSince(): Promise<Set<string>> {
  const files = new Set(filesCalled());
  const ask = ++asked;
  const hear = (event: unknown) => {
    const { answered, files: theirs } = (event as { readonly data: Answer }).data;
    if (answered === ask) for (const file of theirs) files.add(file);
  };
  const { onmessage } = channel;
  channel.onmessage = hear;
  channel.postMessage({ asked: ask });
  await sleep(ANSWER_MS);
  channel.onmessage = onmessage;
  // What ran while the others were asked belongs to no window.
  filesCalled();
  return files;
}

/** The path of one piece of work, and what only runs beside it. */
export interface Path {
  /** Files in which a function was called in every window. */
  readonly on: readonly string[];
  /** Files in which one was called in some windows: polling, heartbeats, the progress that is stored now and then. */
  readonly beside: readonly string[];
}

/** Tells the path from what only happened in the same time, given the files of many windows with one piece of work each. */
export function pathOf(windows: readonly ReadonlySet<string>[]): Path {
  const times = new Map<string, number>();
  for (const window of windows) for (const file of window) times.set(file, (times.get(file) ?? 0) + 1);
  const called = [...times].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    on: called.filter(([, count]) => count === windows.length).map(([file]) => file),
    beside: called.filter(([, count]) => count < windows.length).map(([file]) => file),
  };
}

/** Prints a path. `window` says from where to where one of them goes, and how many there were. */
export function printPath(title: string, window: string, { on, beside }: Path): void {
  console.log(`\n${title}: ${on.length} files`);
  console.log(`  On the path is a file in which a function runs in every window. ${window}`);
  printFloors(on);
  console.log(`  only beside it, in some of the windows: ${beside.length} files`);
  printFloors(beside, "    ");
}

/** Prints all files of a longer time. */
export function printAll(title: string, files: Iterable<string>): void {
  const all = [...files];
  console.log(`\n${title}: ${all.length} files`);
  printFloors(all);
}

function printFloors(files: readonly string[], indent = "  "): void {
  const floors = Map.groupBy([...files].sort(), (file) => {
    const [floor = "", second = ""] = file.split("/");
    return floor === "connect" ? `${floor}/${second}` : file.includes("/") ? floor : "foundation";
  });
  for (const [floor, those] of floors) {
    const names = those.map((file) => file.replace(`${floor}/`, "")).join(", ");
    console.log(`${indent}${floor} (${those.length}): ${names}`);
  }
}
