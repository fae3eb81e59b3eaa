import type { FileHandle } from "node:fs/promises";

const ROOM = 64 * 1024;

/** A block of a file with what was left of the block before in front of it. */
export interface Block {
  readonly buffer: Buffer;
  /** Where the new bytes begin in the buffer. */
  readonly from: number;
  readonly to: number;
  /** The offset in the file of `buffer[0]`. */
  readonly base: number;
}

/**
 * Reads a range of a file in blocks, the next one while the last is looked at, in two buffers that are used in turn.
 * `keep(block)` says how many of its last bytes must stand before the next: the beginning of a record that goes on.
 */
export async function* blocksOf(
  handle: FileHandle,
  range: { readonly start: number; readonly end: number },
  blockBytes: number,
  keep: (block: Block) => number,
): AsyncGenerator<Block> {
  const rooms = [Buffer.allocUnsafe(ROOM + blockBytes), Buffer.allocUnsafe(ROOM + blockBytes)] as const;
  const read = (at: number, turn: number) => {
    const reading = handle.read(rooms[turn & 1] as Buffer, ROOM, Math.min(blockBytes, range.end - at), at);
    // Looked at when its turn comes; a caller that stops before must not leave a rejection behind.
    reading.catch(() => {});
    return reading;
  };
  let at = range.start;
  let rest: Buffer = Buffer.alloc(0);
  let coming = at < range.end ? read(at, 0) : null;
  for (let turn = 0; coming; turn++) {
    const { bytesRead } = await coming;
    if (bytesRead === 0) return;
    const begin = at;
    at += bytesRead;
    // Joined before the next read begins, which overwrites the buffer that the rest stands in.
    const block = joined(rooms[turn & 1] as Buffer, rest, bytesRead, begin);
    coming = at < range.end ? read(at, turn + 1) : null;
    try {
      yield block;
    } finally {
      // The buffers and the handle must outlive the read under way.
      if (coming) await coming.catch(() => {});
    }
    const kept = keep(block);
    rest = block.buffer.subarray(block.to - kept, block.to);
  }
}

function joined(room: Buffer, rest: Buffer, bytesRead: number, begin: number): Block {
  if (rest.length <= ROOM) {
    rest.copy(room, ROOM - rest.length);
    const buffer = room.subarray(ROOM - rest.length, ROOM + bytesRead);
    return { buffer, from: rest.length, to: buffer.length, base: begin - rest.length };
  }
  const buffer = Buffer.concat([rest, room.subarray(ROOM, ROOM + bytesRead)]);
  return { buffer, from: rest.length, to: buffer.length, base: begin - rest.length };
}
