import assert from "node:assert/strict";
import { test } from "node:test";
import { LineBlocks, mixedLines } from "../../../src/data/bag/line-blocks.ts";
import { fc, runs } from "../../random.ts";

interface Line {
  readonly text: string | null;
  readonly offset: number;
}

/** The lines that one range of a file gives, when its bytes come in pieces of a size. */
function linesOf(
  bytes: Buffer,
  start: number,
  end: number,
  piece: number,
  longest = 1_000,
): { lines: Line[]; first: number | null; behind: number } {
  const from = start === 0 ? 0 : start - 1;
  const blocks = new LineBlocks(
    { from, end: end < bytes.length ? end : Number.POSITIVE_INFINITY, longest },
    start > 0,
  );
  const lines: Line[] = [];
  const take = (found: Generator<ReturnType<typeof one>>) => {
    for (const block of found) {
      if (!("bytes" in block)) lines.push({ text: null, offset: block.offset });
      else if (block.text === null)
        for (const { text, offset } of mixedLines(block)) lines.push({ text, offset });
      else {
        let offset = block.offset;
        for (const text of block.text.replace(/\n$/, "").split("\n")) {
          lines.push({ text, offset });
          offset += Buffer.byteLength(text) + 1;
        }
      }
    }
  };
  const one = ():
    | import("../../../src/data/bag/line-blocks.ts").Block
    | import("../../../src/data/bag/line-blocks.ts").LongLine => {
    throw new Error("only a type");
  };
  for (let at = from; at < bytes.length && !blocks.done; at += piece)
    take(blocks.add(bytes.subarray(at, at + piece)));
  if (!blocks.done) take(blocks.finish());
  return { lines, first: blocks.first, behind: blocks.behind };
}

function naive(bytes: Buffer, longest = 1_000): Line[] {
  const lines: Line[] = [];
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(10, at);
    const end = found < 0 ? bytes.length : found;
    const line = bytes.subarray(at, end);
    const isLong = (found < 0 ? end : end + 1) - at > longest;
    lines.push({
      text: isLong || !Buffer.from(line.toString()).equals(line) ? null : line.toString(),
      offset: at,
    });
    at = end + 1;
  }
  return lines;
}

const contents = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        Buffer.from("\n"),
        Buffer.from("é"),
        Buffer.from([0xff]),
        Buffer.from("\r\n"),
        Buffer.from([0]),
      ),
      fc.string({ maxLength: 12 }).map((text) => Buffer.from(text)),
    ),
    {
      maxLength: 60,
    },
  )
  .map((parts) => Buffer.concat(parts));

test("ranges that are cut anywhere give every line once, in pieces of any size", () => {
  fc.assert(
    fc.property(
      contents,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 40 }),
      (bytes, range, piece) => {
        const lines: Line[] = [];
        let at = 0;
        for (let start = 0; start === 0 || start < bytes.length; start += range) {
          const part = linesOf(bytes, start, Math.min(bytes.length, start + range), piece);
          lines.push(...part.lines);
          if (part.first === null) continue;
          assert.equal(part.first, at);
          at = part.behind;
        }
        assert.equal(at, bytes.length);
        assert.deepEqual(lines, naive(bytes));
      },
    ),
    { numRuns: runs(400) },
  );
});

test("a line that is too long is passed over, and told with its offset, wherever ranges are cut", () => {
  fc.assert(
    fc.property(
      contents,
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 30 }),
      (bytes, range, piece) => {
        const longest = 9;
        const lines: Line[] = [];
        for (let start = 0; start === 0 || start < bytes.length; start += range)
          lines.push(...linesOf(bytes, start, Math.min(bytes.length, start + range), piece, longest).lines);
        assert.deepEqual(lines, naive(bytes, longest));
      },
    ),
    { numRuns: runs(400) },
  );
});
