import { existsSync, rmSync } from "node:fs";
import { noteMemory } from "../memory.ts";
import { decode, offsetsInRow, type Segment, type ValueLayout } from "./encode.ts";
import type { ObjectFlags } from "./flags.ts";

interface ObjectOrigin {
  readonly id: string;
  readonly layout: ValueLayout;
  readonly flags: ObjectFlags;
  readonly block: SharedArrayBuffer | null;
  /** The memories that the value brought with it; none of them where the whole object comes from a file. */
  readonly foreign: readonly SharedArrayBuffer[];
}

/** What one thread knows of an object that was put: there, or elsewhere and then sent there. */
export class StoredObject {
  readonly id: string;
  readonly layout: ValueLayout;
  readonly flags: ObjectFlags;
  readonly foreign: readonly SharedArrayBuffer[];
  /** Null while it is not in memory. Comes from a file in one piece, with what else the value had. */
  block: SharedArrayBuffer | null;
  /** The file it was spilled to. */
  spilled: string | null = null;
  /** The file from which other processes read it. */
  published: string | null = null;
  /** Another process made it, and removes the file. */
  fromProcess = false;
  /** Went to another thread or process. */
  crossed = false;
  /** The files that this thread has to remove. */
  readonly files = new Set<string>();
  #value: { readonly value: unknown } | null = null;
  #lastValue: WeakRef<object> | null = null;

  constructor({ id, layout, flags, block, foreign }: ObjectOrigin) {
    this.id = id;
    this.layout = layout;
    this.flags = flags;
    this.block = block;
    this.foreign = foreign;
  }

  /** Bytes it takes, without the memories it brought with it. */
  get bytes(): number {
    return this.block?.byteLength ?? (this.#isWhole ? this.fileBytes : (this.layout.lengths[0] as number));
  }

  get fileBytes(): number {
    return offsetsInRow(this.layout).at(-1) as number;
  }

  /** Where it can be read from when it is not in memory. */
  get file(): string | null {
    return this.spilled ?? this.published;
  }

  /** Whether its memory can be given up for a file: not where others hold the same memory and may write to it. */
  get canSpill(): boolean {
    return this.foreign.length === 0;
  }

  /** Whether its owner has disposed of it. */
  get gone(): boolean {
    return this.flags.disposed || (this.fromProcess && !existsSync(this.published as string));
  }

  /** The value, which is made the first time and is the same one as long as it is in use; null without memory. */
  value(): { readonly value: unknown } | null {
    const last = this.#value ?? this.#lastOne();
    if (last !== null || this.block === null) return last;
    this.#value = { value: decode(this.layout, this.#segments(this.block)) };
    return this.#value;
  }

  /** Holds on to its memory no longer. Code that has the value keeps it, and gets the same one again. */
  leaveMemory(): void {
    noteMemory(this.block?.byteLength ?? 0);
    const { value } = this.#value ?? {};
    if (typeof value === "object" && value !== null) this.#lastValue = new WeakRef(value);
    this.#value = null;
    this.block = null;
  }

  /** Its memories with their offsets in a file; the last offset is the length of the file. */
  image(block: SharedArrayBuffer): { memories: SharedArrayBuffer[]; offsets: readonly number[] } {
    if (this.#isWhole) return { memories: [block], offsets: [0, block.byteLength] };
    return { memories: [block, ...this.foreign], offsets: offsetsInRow(this.layout) };
  }

  #lastOne(): { readonly value: unknown } | null {
    const value = this.#lastValue?.deref();
    return value === undefined ? null : { value };
  }

  /** Whether the block holds, or held, all of its memories in a row. */
  get #isWhole(): boolean {
    return this.foreign.length < this.layout.lengths.length - 1 || this.layout.lengths.length === 1;
  }

  #segments(block: SharedArrayBuffer): Segment[] {
    const { memories } = this.image(block);
    if (memories.length === this.layout.lengths.length)
      return memories.map((memory) => ({ memory, offset: 0 }));
    return offsetsInRow(this.layout).map((offset) => ({ memory: block, offset }));
  }
}

export function removeFiles(files: Set<string>): void {
  for (const file of files) rmSync(file, { force: true });
  files.clear();
}
