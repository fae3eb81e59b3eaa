import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type CsvOptions, type CsvRow, csv } from "../../../../src/connect/csv/index.ts";
import { csvSource } from "../../../../src/connect/csv/source.ts";
import { PawlError } from "../../../../src/errors.ts";
import { fc, runs } from "../../../random.ts";
import { Folder, readAll, rowsOf, shardsOf } from "../fixture.ts";

const PIPES = 'id,v,w\n1,5" pipe,x\n2,6" pipe,y\n3,c,z\n';

async function refusal(path: string, folder: Folder, options: CsvOptions = {}): Promise<PawlError> {
  try {
    await rowsOf(csv(path, options), folder);
  } catch (error) {
    assert.ok(error instanceof PawlError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "nothing was refused" });
}

test("a quote inside a field is refused, and each way of reading it gives every record", async () => {
  await using folder = await Folder.make();
  const path = await folder.file(PIPES, "t.csv");
  const refused = await refusal(path, folder);
  assert.equal(refused.code, "csv.stray-quote");
  assert.match(refused.message, /t\.csv line 2: .*\(2 lines have such quotes/);
  const rows = [
    { id: "1", v: '5" pipe', w: "x" },
    { id: "2", v: '6" pipe', w: "y" },
    { id: "3", v: "c", w: "z" },
  ];
  assert.deepEqual(await rowsOf(csv(path, { looseQuotes: true }), folder), rows);
  assert.deepEqual(await rowsOf(csv(path, { quote: null }), folder), rows);
  const escaped = await folder.file(PIPES.replaceAll('"', '\\"'));
  assert.deepEqual(await rowsOf(csv(escaped, { escape: "\\" }), folder), rows);
});

const FLAWS: [what: string, text: string, line: number][] = [
  ["text after a closing quote", 'id,v\n1,a\n2,"b" c\n3,d\n', 3],
  ["a blank before a quote", 'id,v\n1, "a"\n', 2],
  ["a quote in the header", 'id,v"v\n1,a\n', 1],
  ["a quote that opens at the end of a field", 'id,v\n1,a"\n2,b\n', 2],
  ["two quotes after a comma too many", 'id,v\n1,""a\n', 2],
  ["a quote that is closed in another record", 'id,v\n1,"a\n2,b"c\n3,d\n', 2],
  ["a stray quote where lines end with carriage returns", 'id,v\r1,a\r2,b"c\r', 3],
];

for (const [what, text, line] of FLAWS)
  test(`${what} is refused with its line`, async () => {
    await using folder = await Folder.make();
    for (const content of [text, gzipSync(text)]) {
      const { code, message } = await refusal(await folder.file(content, "t.csv"), folder);
      assert.equal(code, "csv.stray-quote");
      assert.match(message, new RegExp(`t\\.csv line ${line}: `));
    }
  });

/** 12,000 lines with quoted fields throughout, of which two have harmless pairs and one has lost a quote. */
function longText(broken: string): string {
  const line = (at: number) => {
    if (at === 653) return `653,board of 5" x 3",x`;
    if (at === 702) return `702,"a ""good"" one",x`;
    if (at === 7815) return broken;
    return at % 3 === 0 ? `${at},"a, b",x` : `${at},plain,x`;
  };
  return `id,v,w\n${Array.from({ length: 11_999 }, (_, index) => `${line(index + 2)}\n`).join("")}`;
}

test("the line whose quote has no partner is named, however many harmless ones stand before it", async () => {
  await using folder = await Folder.make();
  // Packed, the second of them is enough.
  for (const broken of ['7815,5" pipe,x', '7815,"lost,x', '7815,lost",x', '7815,"lost ""two"",x'])
    for (const packed of broken.startsWith('7815,"lost,') ? [true, false] : [false]) {
      const text = longText(broken);
      const { code, message } = await refusal(
        await folder.file(packed ? gzipSync(text) : text, "t.csv"),
        folder,
      );
      assert.equal(code, "csv.stray-quote");
      assert.match(message, /t\.csv line 7815: .*the first is line 653\)/, broken);
    }
  const alone = `id,v\n${"1,a\n".repeat(5000)}2,"b\n${"3,c\n".repeat(5000)}`;
  const { code, message } = await refusal(await folder.file(alone, "t.csv"), folder);
  assert.deepEqual([code, /line 5002:/.test(message)], ["csv.unclosed-quote", true]);
});

test("of a stream with a stray quote nothing is given from its record on", async () => {
  await using folder = await Folder.make();
  const text = longText('7815,5" pipe,x').replace('5" x 3"', "5 x 3");
  const source = csv("-", { stdin: Readable.from([gzipSync(text)]) });
  const shards = await shardsOf(source, folder);
  const rows: (CsvRow | string)[] = [];
  const reading = (async () => {
    for (const shard of shards)
      for await (const chunk of source.read(
        shard,
        null,
        { items: 100, bytes: 4096 },
        new AbortController().signal,
      ))
        for await (const slice of chunk.slices()) rows.push(...(slice as CsvRow[]));
  })();
  await assert.rejects(reading, { code: "csv.stray-quote", message: /standard input line 7815: / });
  assert.ok(rows.length > 7000 && rows.length < 7814, String(rows.length));
  assert.deepEqual(
    rows.map((row) => (row as CsvRow).id),
    rows.map((_, index) => String(index + 2)),
  );
});

/** What RFC 4180 allows as a field, and nothing else. */
const STRICT = /^(?:[^",\n]*|"(?:[^"]|"")*")(?:,(?:[^",\n]*|"(?:[^"]|"")*"))*$/;

/** The records of a text, split at line feeds outside quotes that open a field; null if it is not RFC 4180. */
function strictRecords(text: string): string[] | null {
  const records: string[] = [];
  let rest = text;
  while (rest !== "") {
    const match = /^(?:[^",\n]*|"(?:[^"]|"")*")(?:,(?:[^",\n]*|"(?:[^"]|"")*"))*(?:\n|$)/.exec(rest);
    if (match === null || match[0] === "") return null;
    records.push(match[0].replace(/\n$/, ""));
    rest = rest.slice(match[0].length);
  }
  return records;
}

/** A quote opens where a field begins and closes where one ends; all others are text. Null where one never closes. */
function looseRows(text: string): (string[] | null)[] | null {
  const rows: (string[] | null)[] = [];
  let fields: string[] = [];
  let rest = text;
  while (rest !== "") {
    const quoted = /^"((?:[^"]|""|"(?![,\n]|$))*?)"(?=[,\n]|$)/.exec(rest);
    if (rest[0] === '"' && quoted === null) return null;
    const taken = quoted ?? (/^[^,\n]*/.exec(rest) as RegExpExecArray);
    fields.push(quoted ? (quoted[1] as string).replaceAll('""', '"') : taken[0]);
    const after = rest[taken[0].length];
    rest = rest.slice(taken[0].length + 1);
    if (after === "," && rest === "") fields.push("");
    if (after !== "," || rest === "") {
      // A blank line is not a row.
      rows.push(fields.length === 1 && taken[0] === "" ? null : fields);
      fields = [];
    }
  }
  return rows;
}

const messy = fc
  .array(fc.constantFrom("a", ",", '"', '""', 'a""b', "\n", ",\n", '",', ',"', '"\n', "b c"), {
    maxLength: 14,
  })
  .map((parts) => parts.join(""));

test("a text is read as RFC 4180 means it or refused, wherever quotes stand", async () => {
  await using folder = await Folder.make();
  await fc.assert(
    fc.asyncProperty(messy, async (text) => {
      const path = await folder.file(`x,y\n${text}`, "t.csv");
      const records = strictRecords(text);
      const source = csvSource(path, { delimiter: ",", indexBlockBytes: 3 });
      if (records === null) {
        const { code } = await refusal(path, folder, { delimiter: "," });
        assert.match(code, /^csv\.(?:stray|unclosed)-quote$/);
        return;
      }
      for (const record of records) assert.match(record, STRICT);
      const shards = await shardsOf(source, folder, 3);
      const seen = await readAll(source, shards, { items: 2, bytes: 10 });
      assert.deepEqual(
        seen.flatMap(({ raws }) => raws),
        records.filter((record) => record !== ""),
      );
    }),
    { numRuns: runs(120) },
  );
});

test("loose quotes give every record of a text as a simple reader splits it", async () => {
  await using folder = await Folder.make();
  await fc.assert(
    fc.asyncProperty(messy, async (text) => {
      // Two quotes in a row are one where they could also be the end of a field; the simple reader knows no such rule.
      fc.pre(!/(?:^|[^a-c])""|""(?:$|[^a-c])/.test(text));
      const path = await folder.file(`x,y\n${text}`, "t.csv");
      const rows = looseRows(text);
      const options = {
        delimiter: ",",
        looseQuotes: true,
        fillMissing: true,
        ignoreExtra: true,
        indexBlockBytes: 4,
      };
      if (rows === null) {
        assert.equal((await refusal(path, folder, options)).code, "csv.unclosed-quote");
        return;
      }
      const given = await rowsOf(csv(path, { ...options, nullValues: "\\N" }), folder);
      assert.deepEqual(
        given,
        rows.filter((row) => row !== null).map((row) => ({ x: row[0] ?? null, y: row[1] ?? null })),
      );
    }),
    { numRuns: runs(120) },
  );
});
