import stringWidth from "string-width";
import type { RunProgress } from "../../batch/index.ts";
import { clipped } from "../../clip.ts";
import { harmless } from "../../visible.ts";
import { BETWEEN, type Part, ProgressEstimate, type ProgressView } from "./progress-estimate.ts";

const MIN_BAR = 8;
const MAX_BAR = 24;
/** Where a terminal does not say how wide it is. */
const DEFAULT_COLUMNS = 80;
/** A reason that is cut to fewer cells than this tells nothing. */
const LEAST_NOTE = 8;

/** As much as fits into so many cells of a terminal: what matters least is left out first, and nothing is cut off at the end. */
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
  // A reason may be of any length: it gets the room that is left.
  const others = stringWidth(joined(kept.filter(({ rank }) => rank !== 2)));
  const room = width - others - BETWEEN.length;
  kept = kept.flatMap((part) => {
    if (part.rank !== 2) return [part];
    return room < LEAST_NOTE ? [] : [{ ...part, text: clipped(part.text, room) }];
  });
  return clipped(joined(kept), width);
}

/** So often the line is drawn at most: an update may come for each chunk. */
const DRAW_EVERY_MS = 100;

/** A terminal neither shows its cursor in the line nor folds it, while one is drawn. See "Standard ECMA-48" and xterm's "DECTCEM" and "DECAWM". */
const BEGIN = "\x1b[?25l\x1b[?7l";
const END = "\x1b[?25h\x1b[?7h\n";
const ERASE_TO_THE_RIGHT = "\x1b[K";

/** One line of a terminal, drawn again and again. */
export class BarView implements ProgressView {
  readonly #stream: NodeJS.WriteStream;
  readonly #measure = new ProgressEstimate();
  #share = 0;
  #parts: readonly Part[] = [];
  /** When the line was drawn last; null where none stands on the terminal. */
  #drawnAt: number | null = null;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  update(progress: RunProgress): void {
    const now = performance.now();
    const { share, parts } = this.#measure.observe(progress, now);
    this.#share = share;
    this.#parts = parts;
    if (this.#drawnAt === null || now - this.#drawnAt >= DRAW_EVERY_MS) this.#draw();
  }

  note(sentence: string): void {
    this.stop();
    this.#stream.write(`${harmless(sentence)}\n`);
    if (this.#parts.length > 0) this.#draw();
  }

  stop(): void {
    if (this.#drawnAt === null) return;
    this.#draw();
    this.#stream.write(END);
    this.#drawnAt = null;
  }

  #draw(): void {
    const begin = this.#drawnAt === null ? BEGIN : "";
    this.#stream.write(`${begin}\r${this.#line()}${ERASE_TO_THE_RIGHT}`);
    this.#drawnAt = performance.now();
  }

  /** The text comes first: the bar takes what a narrow terminal leaves, if it is enough for one. */
  #line(): string {
    // A character in the last column would make some terminals begin the next line.
    const width = (this.#stream.columns || DEFAULT_COLUMNS) - 1;
    const text = fitted(this.#parts, width);
    const size = Math.min(MAX_BAR, width - stringWidth(text) - 1);
    if (size < MIN_BAR) return text;
    const full = Math.floor(this.#share * size);
    return `${"█".repeat(full)}${"░".repeat(size - full)} ${text}`;
  }
}
