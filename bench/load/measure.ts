import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { MemoryWatch } from "./process-tree.ts";

export interface Measured {
  readonly seconds: number;
  /** Of the program and all processes it started. */
  readonly peakBytes: number;
  readonly stdout: string;
}

/** Runs a program to its end with a stopwatch and an eye on its memory. Throws when it fails. */
export async function measure(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const began = performance.now();
  const child = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { promise: closed, resolve, reject } = Promise.withResolvers<number | null>();
  child.on("close", resolve);
  child.on("error", reject);
  const watch = new MemoryWatch(child.pid ?? process.pid);
  try {
    const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
    const seconds = (performance.now() - began) / 1000;
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr.trim().slice(-2000) || stdout}`);
    return { seconds, peakBytes: watch.stop(), stdout };
  } finally {
    watch.stop();
  }
}
