import type { RunProgress } from "../../batch/index.ts";
import { harmless } from "../../visible.ts";
import { progressStream } from "./output.ts";
import { BETWEEN, ProgressEstimate, type ProgressView } from "./progress-estimate.ts";

const LINE_EVERY_MS = 5000;

/** A bar on a terminal, a line every few seconds elsewhere. Everything goes to standard error. */
export async function progressView(
  quiet: boolean,
  stream: NodeJS.WriteStream = progressStream(),
): Promise<ProgressView> {
  if (quiet) return { update: () => {}, note: () => {}, stop: () => {} };
  if (!stream.isTTY) return new LineView(stream);
  // A run in the background has no terminal, and need not hold what draws on one.
  const { BarView } = await import("./progress-bar.ts");
  return new BarView(stream);
}

class LineView implements ProgressView {
  readonly #stream: NodeJS.WriteStream;
  readonly #measure = new ProgressEstimate();
  #writtenAt = performance.now();
  #last = "";
  #pending = "";

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  update(progress: RunProgress): void {
    const { parts } = this.#measure.observe(progress, performance.now());
    this.#pending = parts.map(({ text }) => text).join(BETWEEN);
    if (performance.now() - this.#writtenAt < LINE_EVERY_MS) return;
    this.#write();
  }

  note(sentence: string): void {
    this.#stream.write(`${harmless(sentence)}\n`);
  }

  stop(): void {
    if (this.#pending !== this.#last) this.#write();
  }

  #write(): void {
    this.#writtenAt = performance.now();
    this.#last = this.#pending;
    this.#stream.write(`${harmless(this.#pending)}\n`);
  }
}
