import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import type { Shard } from "../../../../src/batch/contract.ts";
import { type CsvOptions, type CsvRow, csv } from "../../../../src/connect/csv/index.ts";
import { waitingForInput } from "../../../../src/connect/csv/open/pipe.ts";
import { TextStream } from "../../../../src/connect/csv/open/text-stream.ts";
import { fc, runs } from "../../../random.ts";
import { ANY, Folder, planOptions, readAll, rowsOf, shardsOf, signal } from "../fixture.ts";

const ROWS = Array.from({ length: 3000 }, (_, id) => `${id},"zé\n""${id}""",${id % 7}\n`);
const TEXT = `id,note,n\n${ROWS.join("")}`;
const records = ROWS.map((row) => row.slice(0, -1));

function utf16be(text: string): Buffer {
  return Buffer.from(`\ufeff${text}`, "utf16le").swap16();
}

/** A frame that holds no data, as `pzstd` and seekable archives write them. */
function skippable(text: string): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a5c, 0);
  head.writeUInt32LE(text.length, 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** Of bytes whose last block may be a repeated byte, raw or compressed, with and without a checksum and a size. */
function zstdFrame(text: string, checksum: number): Buffer {
  return zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: checksum } });
}

const FORMS: [string, Buffer, CsvOptions][] = [
  ["gzip", gzipSync(TEXT), {}],
  ["several gzip members", Buffer.concat([gzipSync(TEXT.slice(0, 999)), gzipSync(TEXT.slice(999))]), {}],
  ["zstd", zstdCompressSync(TEXT), {}],
  [
    "several zstd frames",
    Buffer.concat([zstdFrame(TEXT.slice(0, 999), 1), zstdFrame(TEXT.slice(999), 0)]),
    {},
  ],
  [
    "zstd frames with others that hold no data",
    Buffer.concat([
      skippable("x"),
      zstdFrame(TEXT.slice(0, 5), 0),
      skippable(""),
      zstdFrame(TEXT.slice(5), 1),
    ]),
    {},
  ],
  ["gzip with padding", Buffer.concat([gzipSync(TEXT), Buffer.alloc(100_000)]), {}],
  ["UTF-16 with a mark", Buffer.from(`\ufeff${TEXT}`, "utf16le"), {}],
  ["UTF-16 big-endian with a mark", utf16be(TEXT), {}],
  ["UTF-16 as told", Buffer.from(TEXT, "utf16le"), { encoding: "utf-16le" }],
  ["latin1", Buffer.from(TEXT, "latin1"), { encoding: "latin1" }],
  ["packed latin1", gzipSync(Buffer.from(TEXT, "latin1")), { encoding: "latin1" }],
];

for (const [form, content, options] of FORMS)
  test(`${form}: all rows come, resume gives the rest, and the bytes add up to the file`, async () => {
    await using folder = await Folder.make();
    const source = csv(await folder.file(content, "x.csv"), options);
    const planned = await source.shards(4, ANY, planOptions(folder.path));
    assert.equal(planned.shards.length, 1);
    assert.deepEqual([planned.shards[0]?.items, planned.shards[0]?.bytes], [null, content.length]);
    const seen = await readAll(source, planned.shards, { items: 700, bytes: 20_000 });
    assert.ok(seen.length > 4);
    assert.deepEqual(
      seen.flatMap(({ raws }) => raws),
      records,
    );
    assert.equal(seen[1]?.ats[0], `x.csv line ${2 + 2 * (seen[0]?.raws.length ?? 0)}`);
    const rest = await readAll(source, planned.shards, { items: 100, bytes: 1 << 20 }, seen[1]?.end);
    assert.deepEqual(
      rest.flatMap(({ raws }) => raws),
      seen.slice(2).flatMap(({ raws }) => raws),
    );
    let bytes = 0;
    for (const shard of planned.shards)
      for await (const chunk of source.read(shard, null, { items: 700, bytes: 1 << 20 }, signal))
        bytes += chunk.bytes;
    assert.equal(bytes, content.length);
    assert.deepEqual(
      (await source.sample(2)).map(({ id }) => id),
      ["0", "1"],
    );
  });

const input = (text: string) =>
  csv("-", { stdin: Readable.from([Buffer.from(text.slice(0, 5)), Buffer.from(text.slice(5))]) });

test("standard input may be described and sampled before it is read, once", async () => {
  await using folder = await Folder.make();
  const source = input(TEXT);
  const description = await source.describe();
  assert.deepEqual([description.identity, description.bytes], [null, null]);
  assert.equal((await source.sample(3)).length, 3);
  assert.equal((await rowsOf(source, folder)).length, 3000);
  await assert.rejects(rowsOf(source, folder), { code: "csv.stdin-taken" });
});

test("standard input continues where it stopped if it is the same input, and else is refused", async () => {
  await using folder = await Folder.make();
  const size = { items: 1000, bytes: 1 << 20 };
  const shards = await shardsOf(input(TEXT), folder);
  const seen = await readAll(input(TEXT), shards, size);
  const rest = await readAll(input(TEXT), shards, size, seen[0]?.end);
  assert.deepEqual(
    rest.flatMap(({ raws }) => raws),
    records.slice(1000),
  );
  for (const other of [TEXT.replace("zé", "ze"), TEXT.slice(0, 200)])
    await assert.rejects(readAll(input(other), shards, size, seen[0]?.end), { code: "csv.other-input" });
});

test("a pipe into which nothing is written is announced, and one that gives something is not", async () => {
  const told: unknown[] = [];
  const listen = (silence: unknown) => told.push(silence);
  waitingForInput.subscribe(listen);
  // The clock of this process goes on; only what waits for the pipe is told that its time is up.
  const timers: { readonly up: () => void; readonly ms: number | undefined }[] = [];
  const { setTimeout: real } = globalThis;
  globalThis.setTimeout = ((up: () => void, ms?: number, ...rest: []) => {
    if (ms === 3_000) timers.push({ up, ms });
    return real(up, ms, ...rest);
  }) as typeof setTimeout;
  try {
    const silent = new PassThrough();
    const sampled = csv("-", { stdin: silent }).sample(1);
    while (timers.length === 0) await setImmediate();
    assert.deepEqual(told, []);
    timers[0]?.up();
    assert.deepEqual(told, [{ name: "standard input" }]);
    silent.end("id\n1\n");
    assert.equal((await sampled).length, 1);
    // Only of the first bytes.
    assert.equal(timers.length, 1);
  } finally {
    globalThis.setTimeout = real;
    waitingForInput.unsubscribe(listen);
  }
});

test("packed standard input is unpacked", async () => {
  await using folder = await Folder.make();
  assert.equal((await rowsOf(csv("-", { stdin: Readable.from([gzipSync(TEXT)]) }), folder)).length, 3000);
});

test("a packed file that is cut off or damaged is one sentence", async () => {
  await using folder = await Folder.make();
  const packed = gzipSync(
    Buffer.from(Array.from({ length: 200_000 }, (_, id) => `${id},${Math.sin(id)}`).join("\n")),
  );
  const damaged = Buffer.from(packed);
  damaged.fill(7, packed.length - 900_000, packed.length - 890_000);
  for (const content of [packed.subarray(0, packed.length - 500_000), damaged]) {
    const source = csv(await folder.file(content), { header: false });
    await assert.rejects(rowsOf(source, folder), {
      code: "csv.corrupt-archive",
      message: /cut off or damaged/,
    });
  }
});

test("a packed file with anything behind its data is refused, and told from one that is cut off", async () => {
  await using folder = await Folder.make();
  const packed = gzipSync("id\n1\n");
  for (const behind of ["x", "xy", "\0x", "\x1fx", "\r\n"]) {
    const source = csv(await folder.file(Buffer.concat([packed, Buffer.from(behind, "latin1")])));
    await assert.rejects(rowsOf(source, folder), {
      code: "csv.corrupt-archive",
      message: /has something behind its gzip data .* or leave that out: gzip -dc /,
    });
  }
  const padded = csv(await folder.file(Buffer.concat([packed, Buffer.alloc(1)])));
  assert.equal((await rowsOf(padded, folder)).length, 1);
  for (const end of [1, 4, 8, 9])
    await assert.rejects(rowsOf(csv(await folder.file(packed.subarray(0, -end))), folder), {
      message: /is cut off or damaged/,
    });
});

test("zstd frames of every kind come whole, however the input is cut into pieces", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          text: fc.oneof(fc.string(), fc.constant("a".repeat(300_000)), fc.constant("")),
          checksum: fc.nat(1),
          skipped: fc.boolean(),
        }),
        { minLength: 1, maxLength: 5 },
      ),
      fc.array(fc.nat(400), { maxLength: 6 }),
      fc.nat(6),
      async (frames, cuts, lost) => {
        const packed = Buffer.concat(
          frames.flatMap(({ text, checksum, skipped }) => [
            ...(skipped ? [skippable("note")] : []),
            zstdFrame(text, checksum),
          ]),
        );
        const edges = [0, ...cuts.map((cut) => cut % packed.length).sort((a, b) => a - b), packed.length];
        const pieces = edges.slice(1).map((edge, index) => packed.subarray(edges[index], edge));
        const unpacked = async (stored: readonly Buffer[]) => {
          const file = { path: "-", name: "standard input", pipe: true, member: null, size: 0, mtimeMs: 0 };
          const parts: Buffer[] = [];
          const stdin = Readable.from(stored.filter(({ length }) => length > 0));
          for await (const part of new TextStream(file, "utf-8", "read", stdin)) parts.push(part);
          return Buffer.concat(parts).toString();
        };
        const whole = frames.map(({ text }) => text).join("");
        assert.equal(await unpacked(pieces), whole.startsWith("\ufeff") ? whole.slice(1) : whole);
        // Without the four bytes that a frame begins with, nothing shows that the file was packed.
        if (lost > 0 && packed.length - lost >= 4)
          await assert.rejects(unpacked([packed.subarray(0, packed.length - lost)]), {
            code: "csv.corrupt-archive",
          });
      },
    ),
    { numRuns: runs(12) },
  );
});

test("what follows the end of a packed file is never dropped in silence", async () => {
  await using folder = await Folder.make();
  for (const pack of [gzipSync, zstdCompressSync])
    for (const tail of ["3,c\n", "\0\0\0x", Buffer.concat([Buffer.alloc(300_000), gzipSync("3,c\n")])]) {
      const content = Buffer.concat([pack("id,n\n1,a\n"), Buffer.from(tail)]);
      await assert.rejects(rowsOf(csv(await folder.file(content)), folder), {
        code: "csv.corrupt-archive",
        message:
          /has something behind its (gzip|zstd) data that is not \1: .* or leave that out: \1 -dc .* \| pawl load - …\.$/,
      });
    }
});

test("plain and packed files together are one source in order", async () => {
  await using folder = await Folder.make();
  const paths = [
    await folder.file("id,n\n1,a\n2,b\n"),
    await folder.file(gzipSync("id,n\n3,c\n")),
    await folder.file("id,n\n4,d"),
  ];
  const rows = (await rowsOf(csv(paths), folder)) as CsvRow[];
  assert.deepEqual(
    rows.map(({ id }) => id),
    ["1", "2", "3", "4"],
  );
  const ordered = await csv(paths).shards(
    4,
    { kind: "byKey", key: [{ name: "id", equality: "integer" }] },
    planOptions(folder.path),
  );
  assert.deepEqual([ordered.shards.length, ordered.duplicates, ordered.notes.length], [1, null, 1]);
  const free = await csv(paths).shards(3, ANY, planOptions(folder.path));
  assert.ok(free.shards.length > 1);
});

test("a packed file is read to its end however slowly its rows are taken", async () => {
  await using folder = await Folder.make();
  const rows = Array.from({ length: 240_000 }, (_, id) => `${id},${"y".repeat(60)}\n`);
  // So small and so long to unpack that the system has read ahead to its end while its first bytes are unpacked.
  const content = gzipSync(`id,v\n${rows.join("")}`);
  assert.ok(content.length > 530_000 && content.length < 780_000, String(content.length));
  const source = csv(await folder.file(content));
  const shards = await shardsOf(source, folder);
  let count = 0;
  for await (const chunk of source.read(
    shards[0] as Shard,
    null,
    { items: 50_000, bytes: 1 << 20 },
    signal,
  )) {
    count += chunk.items;
    for (let turn = 0; turn < 3_000; turn++) await setImmediate();
  }
  assert.equal(count, rows.length);
});
