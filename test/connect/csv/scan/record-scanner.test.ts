import assert from "node:assert/strict";
import { test } from "node:test";
import { grammarOf, type Quoting } from "../../../../src/connect/csv/scan/grammar.ts";
import { RecordScanner } from "../../../../src/connect/csv/scan/record-scanner.ts";
import { fc } from "../../../random.ts";

const noise = fc
  .array(fc.constantFrom("a", "b,c", '"', '""', "\n", "\r\n", "\r", '"x\ny"'), { maxLength: 40 })
  .map((parts) => parts.join(""))
  .map((body) => (body.split('"').length % 2 === 0 ? `${body}"` : body));
const field = fc.constantFrom("a", "", '""', '"x\ny"', '"a""b"', '"\r\n"', "b\rc");
const record = fc.tuple(fc.array(field, { maxLength: 4 }), fc.constantFrom("\n", "\r\n", "\r\r\n"));
const records = fc
  .array(record, { maxLength: 15 })
  .map((all) => all.map(([fields, end]) => fields.join(",") + end).join(""));
const text = fc.oneof(noise, records);

interface Found {
  readonly spans: readonly (readonly [start: number, end: number, line: number])[];
  readonly features: number;
  readonly lines: number;
}

interface Way {
  readonly quoting: Quoting;
  readonly blankIsRow: boolean;
}

/** What a scan finds, or how it fails. */
function scanned(body: Buffer, cuts: readonly number[], way: Way, stopRecords?: number): Found | string {
  try {
    return found(body, cuts, way, stopRecords);
  } catch (error) {
    return (error as Error).message;
  }
}

function found(
  body: Buffer,
  cuts: readonly number[],
  { quoting, blankIsRow }: Way,
  stopRecords?: number,
): Found {
  const grammar = grammarOf({ delimiter: 44, quote: 34, escape: -1, newline: 10, quoting, trim: false });
  const rules = { grammar, comment: -1, blankIsRow, maxRecordBytes: 1000, name: "t.csv" };
  const scanner = new RecordScanner(rules, 0, 1, true);
  const spans: [number, number, number][] = [];
  let features = 0;
  let lines = 0;
  const note = (base: number) => {
    for (let span = 0; span < scanner.spanCount; span++) {
      const [start, end] = scanner.spans.subarray(span * 2, span * 2 + 2) as unknown as [number, number];
      spans.push([base + start, base + end, scanner.spanLines[span] as number]);
    }
  };
  const edges = [0, ...cuts.map((cut) => cut % (body.length + 1)).sort((a, b) => a - b), body.length];
  for (let edge = 1; edge < edges.length; edge++) {
    const [base, next] = [edges[edge - 1] as number, edges[edge] as number];
    const block = body.subarray(base, next);
    for (let at = 0; at < block.length; ) {
      at = scanner.scan(block, at, block.length, base, undefined, stopRecords);
      note(base);
      if (scanner.recordStart !== base + at) continue;
      features |= scanner.features;
      lines += scanner.lines;
      scanner.reset();
    }
  }
  scanner.finish(body.length, body.length);
  note(body.length);
  return { spans, features: features | scanner.features, lines: lines + scanner.lines };
}

test("how the bytes are cut into blocks, and where a scan stops, changes nothing", () => {
  fc.assert(
    fc.property(
      text,
      fc.array(fc.nat(200), { maxLength: 12 }),
      fc.record({ quoting: fc.constantFrom("strict", "loose"), blankIsRow: fc.boolean() }),
      (body, cuts, way) => {
        const bytes = Buffer.from(body);
        const whole = scanned(bytes, [], way);
        assert.deepEqual(scanned(bytes, cuts, way), whole);
        assert.deepEqual(scanned(bytes, cuts, way, 1), whole);
        if (typeof whole !== "string") assert.equal(whole.lines, body.split("\n").length - 1);
      },
    ),
    { numRuns: 3000 },
  );
});
