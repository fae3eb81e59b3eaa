import { types } from "node:util";
import { makeView, viewKind, viewLength } from "./view-kinds.ts";

/** Where a typed array lies in the memories of a value. */
export interface Place {
  readonly kind: number;
  /** Which memory: 0 for the block. */
  readonly segment: number;
  /** In bytes. */
  readonly offset: number;
  /** In elements. */
  readonly length: number;
}

/** Where one of the memories begins. */
export interface Segment {
  readonly memory: SharedArrayBuffer;
  readonly offset: number;
}

/** No element of a typed array is larger. */
const ALIGNMENT = 8;

export function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

/** Finds places for the typed arrays of a value. What lies in shared memory already stays there. */
export class Placement {
  readonly #copied: { readonly view: NodeJS.ArrayBufferView; readonly offset: number }[] = [];
  /** The memories that the value brought with it. */
  readonly foreign: SharedArrayBuffer[] = [];
  /** Bytes of the block for what is to be copied. */
  bytes = 0;

  place(view: NodeJS.ArrayBufferView): Place {
    const { buffer } = view;
    const shared = types.isSharedArrayBuffer(buffer);
    return {
      kind: viewKind(view),
      segment: shared ? 1 + this.#foreignIndex(buffer) : 0,
      offset: shared ? view.byteOffset : this.#reserve(view),
      length: viewLength(view),
    };
  }

  copyInto(block: SharedArrayBuffer): void {
    const bytes = new Uint8Array(block);
    for (const { view, offset } of this.#copied) {
      bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), offset);
    }
  }

  #foreignIndex(memory: SharedArrayBuffer): number {
    const known = this.foreign.indexOf(memory);
    return known >= 0 ? known : this.foreign.push(memory) - 1;
  }

  #reserve(view: NodeJS.ArrayBufferView): number {
    const offset = this.bytes;
    this.#copied.push({ view, offset });
    this.bytes = aligned(offset + view.byteLength);
    return offset;
  }
}

/** The view at a place in these memories. */
export function viewAt({ kind, segment, offset, length }: Place, segments: readonly Segment[]): object {
  const from = segments[segment];
  if (from === undefined) throw new TypeError("An encoded value lacks one of its memories.");
  return makeView(kind, from.memory, from.offset + offset, length);
}
