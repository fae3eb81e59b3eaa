import { expect } from "./mismatch.ts";
import type { Occurrence } from "./rows.ts";
import type { Stage } from "./stage.ts";

/** A quarantined row as `failures --format csv` prints it; `raw` holds one character for each byte. */
export interface Listed {
  readonly number: string;
  readonly raw: string;
}

export interface Listing {
  readonly header: string;
  readonly rows: readonly Listed[];
}

/** What `pawl quarantine export RUN` prints, taken apart without knowing anything but quotes. */
export async function listFailures(stage: Stage, run: string): Promise<Listing> {
  const bytes = await stage.printed(["quarantine", "export", run]);
  const [header = "", ...records] = splitRecords(bytes.toString("latin1"));
  const { delimiter } = stage.plan.dialect;
  const rows = records.map((record) => {
    const number = record.slice(0, record.indexOf(delimiter));
    const afterNumber = record.slice(number.length + 1);
    return { number, raw: afterNumber.slice(fieldLength(afterNumber, delimiter) + 1) };
  });
  return { header, rows };
}

/**
 * The listing holds the bad rows, every byte of them, and no others; so does the other format. Of `optional` ones
 * it may hold any.
 */
export async function checkFailures(
  stage: Stage,
  run: string,
  bad: readonly Occurrence[],
  optional: ReadonlySet<Occurrence>,
): Promise<void> {
  const { rows } = await listFailures(stage, run);
  const numbers = new Set(rows.map(({ number }) => number));
  expect(numbers.size === rows.length, () => "failures lists a row number twice");
  const listed = rows.map(({ raw }) => raw);
  expectSame("failures --format csv", bad, optional, listed, "latin1");
  if (!stage.plan.jsonl) return;
  const lines = (await stage.printed(["quarantine", run, "--json"])).toString().trim().split("\n");
  const objects = lines.filter((line) => line !== "").map((line) => JSON.parse(line));
  const whole = objects.map(({ raw }) => raw);
  expectSame("failures --format jsonl", bad, optional, whole, "utf8");
  for (const { at, reason } of objects) {
    expect(
      /part \d\.csv.* line \d+/.test(at) && reason !== "",
      () => `a row without place or reason: ${at}, ${reason}`,
    );
  }
}

function expectSame(
  what: string,
  bad: readonly Occurrence[],
  optional: ReadonlySet<Occurrence>,
  listed: readonly string[],
  encoding: BufferEncoding,
): void {
  const left = Map.groupBy(bad, ({ raw }) => raw.toString(encoding));
  for (const raw of listed) {
    expect(
      left.get(raw)?.pop() !== undefined,
      () => `${what} lists a row that is good, or twice: ${JSON.stringify(raw)}`,
    );
  }
  const missing = [...left.values()].flat().filter((occurrence) => !optional.has(occurrence));
  expect(
    missing.length === 0,
    () =>
      `${what} lacks ${missing.length} of ${bad.length} rows: ${missing[0]?.bad}, ${JSON.stringify(missing[0]?.raw.toString())}`,
  );
}

/** Records end at a line feed outside quotes; the last line end is taken off. */
function splitRecords(text: string): string[] {
  const records: string[] = [];
  let inQuotes = false;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') inQuotes = !inQuotes;
    else if (text[at] === "\n" && !inQuotes) {
      records.push(text.slice(start, at));
      start = at + 1;
    }
  }
  expect(start === text.length, () => "failures does not end with a line end");
  return records;
}

function fieldLength(text: string, delimiter: string): number {
  let inQuotes = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') inQuotes = !inQuotes;
    else if (text[at] === delimiter && !inQuotes) return at;
  }
  return text.length;
}
