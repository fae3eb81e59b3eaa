import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type CsvOptions, csv } from "../../../src/connect/csv/index.ts";
import { fc, runs } from "../../random.ts";
import { ANY, Folder, planOptions, readAll } from "./fixture.ts";
import { referenceRecords } from "./reference.ts";
import { optionsOf, value, way, writable, write } from "./written.ts";

const NAMES = ["id", "__proto__", "constructor"];

test("whatever way a file is written in, its rows come as they were written, by every way of reading", async () => {
  await using folder = await Folder.make();
  await fc.assert(
    fc.asyncProperty(
      way,
      fc.array(fc.array(value, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 25 }),
      fc.nat(),
      fc.constantFrom("plain", "gzip", "zstd", "input") as fc.Arbitrary<"plain" | "gzip" | "zstd" | "input">,
      fc.record({
        indexBlockBytes: fc.integer({ min: 1, max: 200 }),
        items: fc.integer({ min: 1, max: 12 }),
        bytes: fc.integer({ min: 1, max: 300 }),
        shards: fc.integer({ min: 1, max: 4 }),
        turned: fc.boolean(),
        columns: fc.boolean(),
      }),
      async (how, given, seed, form, { indexBlockBytes, items, bytes, shards: n, turned, columns }) => {
        const choose = chooser(seed);
        // A row of nothing but nulls may be a blank line, which is not a row.
        const rows = given.map((row, at) => [`r${at}`, ...row.slice(1).map((each) => writable(each, how))]);
        const half = turned ? Math.ceil(rows.length / 2) : rows.length;
        const first = write(NAMES, rows.slice(0, half), how, choose);
        const second = write(
          NAMES.toReversed(),
          rows.slice(half).map((row) => row.toReversed()),
          { ...how, short: false, long: false },
          choose,
        );
        const pack = { plain: Buffer.from, gzip: gzipSync, zstd: zstdCompressSync, input: Buffer.from }[form];
        const paths = [await folder.file(pack(first.text), "a.csv")];
        if (turned) paths.push(await folder.file(pack(second.text), "b.csv"));
        const added: CsvOptions = columns ? { fileColumn: "file", lineColumn: "line" } : {};
        const make = () => {
          const options = { ...optionsOf(how), ...added, indexBlockBytes };
          if (form !== "input" || turned) return csv(paths, options);
          return csv("-", { ...options, stdin: Readable.from([Buffer.from(first.text)]) });
        };
        const expected = rows.map((row, at) => {
          const [path, line] = at < half ? [paths[0], first.lines[at]] : [paths[1], second.lines[at - half]];
          const names = columns ? [...NAMES, "file", "line"] : NAMES;
          const file = form === "input" && !turned ? "standard input" : path;
          const all = columns ? [...row, file, String(line)] : row;
          return Object.fromEntries(names.map((name, index) => [name, all[index] ?? null]));
        });
        const planned = await make().shards(n, ANY, planOptions(folder.path));
        const size = { items, bytes };
        const seen = await readAll(make(), planned.shards, size);
        assert.deepEqual(
          seen.flatMap((chunk) => chunk.rows),
          expected,
        );
        // What passes to COPY untouched is what a simple reader of PostgreSQL's dialect makes the same rows of.
        for (const { text, rows: parsed } of seen) {
          if (text === null || how.end === "\r") continue;
          const records = referenceRecords(text, how.delimiter, how.quote ?? "", how.nulls[0]);
          assert.deepEqual(
            records.map(({ values }) =>
              Object.fromEntries(NAMES.map((name, at) => [name, values[at] ?? null])),
            ),
            parsed,
          );
        }
        const [shard] = planned.shards;
        if (shard === undefined || planned.shards.length > 1) return;
        const cursor = seen[Math.floor(seen.length / 2)]?.end ?? null;
        const rest = await readAll(
          make(),
          [shard],
          { items: 3, bytes: 50 },
          JSON.parse(JSON.stringify(cursor)),
        );
        assert.deepEqual(
          rest.flatMap((chunk) => chunk.rows),
          seen.slice(Math.floor(seen.length / 2) + 1).flatMap((chunk) => chunk.rows),
        );
        // What is put away of each record gives the same row when it is replayed.
        const quarantined = seen.flatMap((chunk) =>
          chunk.raws.map((raw, at) => ({ raw, at: chunk.ats[at] as string })),
        );
        const replayed = make().replay(async function* () {
          for (const [number, { raw, at }] of quarantined.entries())
            yield {
              shard: 0,
              ordinal: number,
              number,
              raw: Buffer.from(raw),
              at,
              reason: "",
              code: null,
              replayedBy: null,
            };
        });
        const again = await replayed.shards(1, ANY, planOptions(folder.path));
        const repeated = await readAll(replayed, again.shards, size);
        assert.deepEqual(
          repeated.flatMap((chunk) => chunk.rows),
          expected,
        );
      },
    ),
    { numRuns: runs(60) },
  );
});

function chooser(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}
