import type { SingleBar } from "cli-progress";
import { AT_REST, type RunProgress } from "../batch/index.ts";
import { grouped } from "./grouped.ts";
import { duration, RateMeter } from "./rate.ts";

/** Shows a run's progress while it is followed. */
export interface ProgressView {
  update(progress: RunProgress): void;
  /** A sentence that stays on the screen. */
  note(sentence: string): void;
  stop(): void;
}

const LINE_EVERY_MS = 5000;
const MIN_BAR = 8;
const MAX_BAR = 24;

/** A bar on a terminal, a line every few seconds elsewhere. Everything goes to standard error. */
export async function progressView(
  quiet: boolean,
  stream: NodeJS.WriteStream = process.stderr,
): Promise<ProgressView> {
  if (quiet) return { update: () => {}, note: () => {}, stop: () => {} };
  if (!stream.isTTY) return new LineView(stream);
  // A run in the background has no terminal, and need not hold what draws on one.
  const { default: bars } = await import("cli-progress");
  return new BarView(stream, bars.SingleBar);
}

/** What is known of how far a run is: items where they are counted, bytes where they are not. */
class Measure {
  readonly #items = new RateMeter();
  readonly #bytes = new RateMeter();
  readonly #planning = new RateMeter();

  observe(progress: RunProgress, now: number): { share: number; text: string } {
    if (progress.planning !== null && progress.shards.length === 0) {
      const { done, total } = progress.planning;
      // How much there is to list shows only at its end.
      if (total === 0) return { share: 0, text: `listed ${grouped(done)} ${progress.unit}` };
      this.#planning.observe(done, now);
      const share = total > 0 ? done / total : 1;
      return { share, text: `scanning ${percent(share)}${left(this.#planning.secondsLeft(total))}` };
    }
    const { counts, items, bytes, unit } = progress;
    this.#items.observe(counts.read, now);
    this.#bytes.observe(counts.bytes, now);
    const share =
      items !== null ? ratio(counts.read, items) : bytes !== null ? ratio(counts.bytes, bytes) : 0;
    const secondsLeft =
      items !== null
        ? this.#items.secondsLeft(items)
        : bytes !== null
          ? this.#bytes.secondsLeft(bytes)
          : null;
    const read =
      items === null ? `${grouped(counts.read)} ${unit}` : `${grouped(counts.read)} of ${grouped(items)}`;
    const done = items === null && bytes === null ? read : `completed ${percent(share)} (${read})`;
    const rate = this.#items.perSecond();
    const speed = rate === null ? "" : ` · ${grouped(rate)} ${unit}/s`;
    const resting = AT_REST.has(progress.state);
    // Why it rests is said when the run is summed up.
    const waiting = progress.note === null || resting ? "" : ` · ${progress.note}`;
    const remaining = resting || share === 1 ? "" : left(secondsLeft);
    const text = `${done}${speed}${remaining} · ${grouped(counts.quarantined)} failed${waiting}`;
    return { share, text };
  }
}

function ratio(done: number, total: number): number {
  return total > 0 ? Math.min(1, done / total) : 1;
}

function percent(share: number): string {
  // Rounded down: 100 % is shown when it is true.
  return `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`;
}

function left(seconds: number | null): string {
  return seconds === null ? "" : ` · ${duration(seconds)} left`;
}

class BarView implements ProgressView {
  readonly #stream: NodeJS.WriteStream;
  readonly #Bar: typeof SingleBar;
  readonly #measure = new Measure();
  #bar: SingleBar | null = null;
  #share = 0;
  #text = "";

  constructor(stream: NodeJS.WriteStream, Bar: typeof SingleBar) {
    this.#stream = stream;
    this.#Bar = Bar;
  }

  update(progress: RunProgress): void {
    const { share, text } = this.#measure.observe(progress, performance.now());
    this.#share = share;
    this.#text = text;
    this.#draw();
  }

  note(sentence: string): void {
    this.stop();
    this.#stream.write(`${sentence}\n`);
    if (this.#text !== "") this.#draw();
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  /** The text comes first: the bar takes what a narrow terminal leaves. */
  #blocks(share: number, text: string): string {
    const room = this.#stream.columns - text.length - 2;
    const size = Math.max(MIN_BAR, Math.min(MAX_BAR, room));
    const full = Math.floor(share * size);
    return "█".repeat(full) + "░".repeat(size - full);
  }

  #draw(): void {
    if (this.#bar === null) {
      this.#bar = new this.#Bar({
        format: (_options, { progress }, { text }) => `${this.#blocks(progress, text)} ${text}`,
        stream: this.#stream,
        hideCursor: true,
        clearOnComplete: false,
        linewrap: false,
        autopadding: false,
        // Pawl has its own way to stop on Ctrl-C.
        gracefulExit: false,
      });
      this.#bar.start(10_000, Math.floor(this.#share * 10_000), { text: this.#text });
    }
    this.#bar.update(Math.floor(this.#share * 10_000), { text: this.#text });
  }
}

class LineView implements ProgressView {
  readonly #stream: NodeJS.WriteStream;
  readonly #measure = new Measure();
  #writtenAt = performance.now();
  #last = "";
  #pending = "";

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  update(progress: RunProgress): void {
    this.#pending = this.#measure.observe(progress, performance.now()).text;
    if (performance.now() - this.#writtenAt < LINE_EVERY_MS) return;
    this.#write();
  }

  note(sentence: string): void {
    this.#stream.write(`${sentence}\n`);
  }

  stop(): void {
    if (this.#pending !== this.#last) this.#write();
  }

  #write(): void {
    this.#writtenAt = performance.now();
    this.#last = this.#pending;
    this.#stream.write(`${this.#pending}\n`);
  }
}
