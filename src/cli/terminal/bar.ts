import bars from "cli-progress";
import stringWidth from "string-width";
import type { RunProgress } from "../../batch/index.ts";
import { clipped } from "./clip.ts";
import { BETWEEN, Measure, type Part, type ProgressView } from "./measure.ts";
import { harmless } from "./visible.ts";

const MIN_BAR = 8;
const MAX_BAR = 24;
/** Where a terminal does not say how wide it is. */
const DEFAULT_COLUMNS = 80;
/** Less of a reason than this says nothing. */
const LEAST_NOTE = 8;

/** As much as fits into so many cells of a terminal: what matters least gives way first, and nothing falls off the end. */
function fitted(parts: readonly Part[], width: number): string {
  const joined = (some: readonly Part[]) => some.map(({ text }) => text).join(BETWEEN);
  let kept = parts;
  const shorten = () => {
    kept = kept.map((part) => (part.short === undefined ? part : { text: part.short, rank: part.rank }));
  };
  const lower = () => {
    const most = Math.max(...kept.map(({ rank }) => rank));
    kept = kept.filter(({ rank }) => rank < most);
  };
  if (stringWidth(joined(kept)) > width && kept.some(({ rank }) => rank === 4)) lower();
  if (stringWidth(joined(kept)) > width) shorten();
  while (stringWidth(joined(kept)) > width && kept.some(({ rank }) => rank > 2)) lower();
  // A reason may be as long as it likes: it takes what room there is.
  const others = stringWidth(joined(kept.filter(({ rank }) => rank !== 2)));
  const room = width - others - BETWEEN.length;
  kept = kept.flatMap((part) => {
    if (part.rank !== 2) return [part];
    return room < LEAST_NOTE ? [] : [{ ...part, text: clipped(part.text, room) }];
  });
  return clipped(joined(kept), width);
}

/** One line of a terminal, drawn again and again. */
export class BarView implements ProgressView {
  readonly #stream: NodeJS.WriteStream;
  readonly #measure = new Measure();
  #bar: InstanceType<typeof bars.SingleBar> | null = null;
  #share = 0;
  #parts: readonly Part[] = [];

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  update(progress: RunProgress): void {
    const { share, parts } = this.#measure.observe(progress, performance.now());
    this.#share = share;
    this.#parts = parts;
    this.#draw();
  }

  note(sentence: string): void {
    this.stop();
    this.#stream.write(`${harmless(sentence)}\n`);
    if (this.#parts.length > 0) this.#draw();
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  /** The text comes first: the bar takes what a narrow terminal leaves, if it is enough for one. */
  #line(share: number): string {
    // A character in the last column would make some terminals begin the next line.
    const width = (this.#stream.columns || DEFAULT_COLUMNS) - 1;
    const text = fitted(this.#parts, width);
    const size = Math.min(MAX_BAR, width - stringWidth(text) - 1);
    if (size < MIN_BAR) return text;
    const full = Math.floor(share * size);
    return `${"█".repeat(full)}${"░".repeat(size - full)} ${text}`;
  }

  #draw(): void {
    if (this.#bar === null) {
      this.#bar = new bars.SingleBar({
        format: (_options, { progress }) => this.#line(progress),
        stream: this.#stream,
        hideCursor: true,
        clearOnComplete: false,
        linewrap: false,
        autopadding: false,
        // Pawl has its own way to stop on Ctrl-C.
        gracefulExit: false,
      });
      this.#bar.start(10_000, Math.floor(this.#share * 10_000));
    }
    this.#bar.update(Math.floor(this.#share * 10_000));
  }
}
