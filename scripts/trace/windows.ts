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

/** The files in which this thread calls a function in the next while. */
export async function calledWithin(ms: number): Promise<Set<string>> {
  filesCalled();
  await sleep(ms);
  return new Set(filesCalled());
}

/** Files that ran in most of the windows: what runs now and then, such as a heartbeat, is not on the path. */
export function inMost(windows: readonly ReadonlySet<string>[]): string[] {
  const times = new Map<string, number>();
  for (const window of windows) for (const file of window) times.set(file, (times.get(file) ?? 0) + 1);
  return [...times].filter(([, count]) => count * 2 > windows.length).map(([file]) => file);
}

/** Prints the files of a path, floor by floor. */
export function print(title: string, files: readonly string[]): void {
  console.log(`\n${title}: ${files.length} files`);
  const floors = Map.groupBy([...files].sort(), (file) => {
    const [floor = "", second = ""] = file.split("/");
    return floor === "connect" ? `${floor}/${second}` : file.includes("/") ? floor : "foundation";
  });
  for (const [floor, those] of floors)
    console.log(
      `  ${floor} (${those.length}): ${those.map((file) => file.replace(`${floor}/`, "")).join(", ")}`,
    );
}
