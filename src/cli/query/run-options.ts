import type { FrameProgress, FrameRunOptions } from "../../data/index.ts";
import { durationText } from "../../durations.ts";
import { parseSize } from "../options/parse.ts";
import { onStopRequest, type StopReason } from "../shutdown.ts";
import { progressStream } from "../terminal/output.ts";

/** The flags of all commands that run a frame. */
export interface LimitFlags {
  readonly memory?: string;
  readonly spill?: string;
}

/** So often a line of progress is drawn. */
const DRAW_EVERY_MS = 200;

/** A query that is over before this shows no progress. */
const QUIET_MS = 1000;

/** Runs `work` with the options of its run: it ends at a signal, and shows on a terminal how far it is. */
export async function withRunOptions<R>(
  { memory, spill }: LimitFlags,
  work: (options: FrameRunOptions) => Promise<R>,
): Promise<R> {
  const stopped = new AbortController();
  const listening = onStopRequest((reason) => stopped.abort(interrupted(reason)));
  const line = new ProgressLine();
  try {
    return await work({
      signal: stopped.signal,
      ...(memory === undefined ? {} : { memory: parseSize(memory, "--memory") }),
      ...(spill === undefined ? {} : { spill }),
      onProgress: (progress) => line.show(progress),
    });
  } finally {
    line.clear();
    listening.stopListening();
  }
}

function interrupted(reason: StopReason): DOMException {
  return new DOMException(`interrupted by ${reason}`, "AbortError");
}

/** One line on a terminal that is drawn again and again, and gone at the end. */
class ProgressLine {
  readonly #stream = progressStream();
  #drawnAt = 0;

  show({ stage, done, seconds }: FrameProgress): void {
    const now = performance.now();
    if (!this.#stream.isTTY || seconds * 1000 < QUIET_MS || now - this.#drawnAt < DRAW_EVERY_MS) return;
    this.#drawnAt = now;
    const left = done > 0.02 ? ` · about ${durationText((seconds * 1000 * (1 - done)) / done)} left` : "";
    this.#stream.write(`\r\x1b[K${stage} ${(done * 100).toFixed(0)} %${left}`);
  }

  clear(): void {
    if (this.#drawnAt > 0) this.#stream.write("\r\x1b[K");
    this.#drawnAt = 0;
  }
}
