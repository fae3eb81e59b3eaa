import type { XmlHandlers } from "./xml-part.ts";

const BLOCK_BYTES = 1024 * 1024;

/** The texts of a workbook that cells name by number, in as little memory as their bytes take. */
export class SharedStrings {
  readonly #most: number;
  readonly #blocks: Buffer[] = [];
  #filled = BLOCK_BYTES;
  /** Of each text where it begins: the block, and the byte in it. */
  #starts = new Uint32Array(1024);
  #lengths = new Uint32Array(1024);
  #count = 0;
  #bytes = 0;

  /** `most` is how many bytes they may take. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Throws a RangeError where they take more memory than they may. */
  add(text: string): void {
    const length = Buffer.byteLength(text);
    this.#bytes += length + 8;
    if (this.#bytes > this.#most)
      throw new RangeError("the texts of its cells take more memory than is allowed");
    if (this.#filled + length > (this.#blocks.at(-1)?.length ?? 0)) {
      this.#blocks.push(Buffer.allocUnsafe(Math.max(BLOCK_BYTES, length)));
      this.#filled = 0;
    }
    if (this.#count * 2 + 2 > this.#starts.length) this.#grow();
    this.#starts[this.#count * 2] = this.#blocks.length - 1;
    this.#starts[this.#count * 2 + 1] = this.#filled;
    this.#lengths[this.#count++] = length;
    (this.#blocks.at(-1) as Buffer).write(text, this.#filled);
    this.#filled += length;
  }

  /** Undefined where there is no text of that number. */
  get(index: number): string | undefined {
    if (!(index >= 0 && index < this.#count)) return undefined;
    const block = this.#blocks[this.#starts[index * 2] as number] as Buffer;
    const start = this.#starts[index * 2 + 1] as number;
    return block.toString("utf8", start, start + (this.#lengths[index] as number));
  }

  #grow(): void {
    const [starts, lengths] = [this.#starts, this.#lengths];
    this.#starts = new Uint32Array(starts.length * 2);
    this.#starts.set(starts);
    this.#lengths = new Uint32Array(lengths.length * 2);
    this.#lengths.set(lengths);
  }
}

/** Reads the part with shared strings. A text may be written in runs of other fonts; how it is pronounced is left out. */
export function sharedStringHandlers(add: (text: string) => void): XmlHandlers {
  let text = "";
  let isText = false;
  let phonetic = 0;
  return {
    open(name) {
      if (name === "si") text = "";
      else if (name === "rPh") phonetic++;
      else if (name === "t") isText = phonetic === 0;
    },
    text(piece) {
      if (isText) text += piece;
    },
    close(name) {
      if (name === "t") isText = false;
      else if (name === "rPh") phonetic--;
      else if (name === "si") add(unescaped(text));
    },
  };
}

/** Characters that XML cannot hold are written as `_x000D_`, and what looks so by chance as `_x005F_x000D_`. */
export function unescaped(text: string): string {
  if (!text.includes("_x")) return text;
  return text.replaceAll(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}
