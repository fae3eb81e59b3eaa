/**
 * Loaded into every thread of a traced program (`--import`): counts calls of functions, and answers with the source
 * files in which any function was called since it was last asked.
 */
import { Session } from "node:inspector";
import { fileURLToPath } from "node:url";
import { BroadcastChannel, threadId } from "node:worker_threads";

/** What the traced program asks all of its threads. */
export interface Ask {
  readonly asked: number;
}

export interface Answer {
  readonly answered: number;
  readonly thread: number;
  /** Paths relative to `src/`. */
  readonly files: readonly string[];
}

const src = fileURLToPath(new URL("../../src/", import.meta.url));
const session = new Session();
session.connect();
session.post("Profiler.enable");
session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });

/** The source files in which a function of this thread was called since the last time. */
export function filesCalled(): string[] {
  const files = new Set<string>();
  session.post("Profiler.takePreciseCoverage", (error, taken) => {
    if (error !== null) throw error;
    for (const { url, functions } of taken.result) {
      if (!url.startsWith("file:")) continue;
      const path = fileURLToPath(url);
      if (!path.startsWith(src)) continue;
      // A module's own body, which begins at 0, runs once, when it is loaded: that says nothing of the way through it.
      const called = functions.some(
        ({ ranges: [range] }) => range && range.startOffset > 0 && range.count > 0,
      );
      if (called) files.add(path.slice(src.length));
    }
  });
  return [...files];
}

export const channel = new BroadcastChannel("trace");

channel.onmessage = (event) => {
  const { asked } = (event as { readonly data: Partial<Ask> }).data;
  if (asked === undefined) return;
  channel.postMessage({ answered: asked, thread: threadId, files: filesCalled() } satisfies Answer);
};
channel.unref();
