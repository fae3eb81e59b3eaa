import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { type CsvRow, csv } from "../../../../src/connect/csv/index.ts";
import { ANY, Folder, planOptions, readAll, rowsOf } from "../fixture.ts";
import { type Packed, zipFile } from "./zip-file.ts";

const ROWS = Array.from({ length: 2000 }, (_, id) => `${id},"zé\n""${id}"""`);
const TEXT = `id,note\n${ROWS.join("\n")}\n`;

for (const [how, member] of [
  ["packed", {}],
  ["stored", { stored: true }],
  ["with sizes of 64 bits", { large: true }],
] satisfies [string, Partial<Packed>][])
  test(`a CSV in a zip archive, ${how}, is read, resumed, and named by its path`, async () => {
    await using folder = await Folder.make();
    const content = zipFile([
      { name: "data/", text: "", stored: true },
      { name: "__MACOSX/data/._people.csv", text: "\0\0" },
      { name: "data/people.csv", text: TEXT, ...member },
      { name: "readme.md", text: "# people" },
    ]);
    const path = await folder.file(content, "people.zip");
    const source = csv("people.zip", { cwd: folder.path });
    const planned = await source.shards(4, ANY, planOptions(folder.path));
    const seen = await readAll(source, planned.shards, { items: 300, bytes: 8000 });
    assert.deepEqual(
      seen.flatMap(({ raws }) => raws),
      ROWS,
    );
    const rest = await readAll(source, planned.shards, { items: 70, bytes: 1 << 20 }, seen[2]?.end);
    assert.deepEqual(
      rest.flatMap(({ raws }) => raws),
      seen.slice(3).flatMap(({ raws }) => raws),
    );
    const [row] = await rowsOf(csv(path, { fileColumn: "file" }), folder);
    assert.equal((row as CsvRow).file, `${path}/data/people.csv`);
    assert.equal((await source.describe()).bytes, planned.shards[0]?.bytes);
  });

test("several CSVs in an archive are one source in order of name, and one file may be called anything", async () => {
  await using folder = await Folder.make();
  const several = zipFile([
    { name: "b.csv", text: "n,id\nx,2\n" },
    { name: "a.CSV", text: "id,n\n1,y\n" },
    { name: "notes.pdf", text: "%PDF-" },
  ]);
  const path = await folder.file(several);
  assert.deepEqual(await rowsOf(csv(path), folder), [
    { id: "1", n: "y" },
    { id: "2", n: "x" },
  ]);
  assert.deepEqual((await csv(path).describe()).notes, [
    `Of ${path} 2 files are read, and notes.pdf left out: only what is called .csv, .tsv or .txt is read.`,
  ]);
  const single = zipFile([{ name: "export", text: "id\n1\n" }]);
  assert.deepEqual(await rowsOf(csv(await folder.file(single)), folder), [{ id: "1" }]);
});

const BAD: [what: string, content: Buffer, code: string, message: RegExp][] = [
  [
    "a size too small",
    zipFile([{ name: "a.csv", text: TEXT, size: 100 }]),
    "csv.corrupt-archive",
    /too many bytes/,
  ],
  [
    "a size too large",
    zipFile([{ name: "a.csv", text: TEXT, size: 1e9 }]),
    "csv.corrupt-archive",
    /not enough bytes/,
  ],
  ["a wrong checksum", zipFile([{ name: "a.csv", text: TEXT, crc: 7 }]), "csv.corrupt-archive", /checksum/],
  [
    "an archive that is cut off",
    zipFile([{ name: "a.csv", text: TEXT }]).subarray(0, 3000),
    "csv.corrupt-archive",
    /./,
  ],
  [
    "an encrypted member",
    zipFile([{ name: "a.csv", text: TEXT, encrypted: true }]),
    "csv.other-format",
    /encrypted/,
  ],
  [
    "two members of one name",
    zipFile([
      { name: "a.csv", text: "a\n1\n" },
      { name: "a.csv", text: "a\n2\n" },
    ]),
    "csv.other-format",
    /two members of one name.*unzip -p/,
  ],
  [
    "fewer members in the count than in the list",
    zipFile(
      [
        { name: "a.csv", text: TEXT },
        { name: "b.csv", text: TEXT },
      ],
      1,
    ),
    "csv.corrupt-archive",
    /more than it says/,
  ],
  [
    "a member that is packed by bzip2",
    zipFile([{ name: "a.csv", text: TEXT, method: 12 }]),
    "csv.other-format",
    /a\.csv, which is packed by method 12, that cannot be read here: .*unzip -p/,
  ],
  [
    "a name that leads out",
    zipFile([{ name: "../../a.csv", text: "a\n1\n" }]),
    "csv.other-format",
    /leads out of it.*relative path.*unzip -p/,
  ],
  [
    "nothing that is a CSV",
    zipFile([
      { name: "a.jpg", text: "x" },
      { name: "b.jpg", text: "x" },
    ]),
    "csv.other-format",
    /2 files, none/,
  ],
  ["an empty archive", zipFile([]), "csv.other-format", /0 files, none/],
  [
    "a workbook",
    zipFile([
      { name: "[Content_Types].xml", text: "x" },
      { name: "xl/workbook.xml", text: "x" },
    ]),
    "csv.other-format",
    /Excel workbook/,
  ],
  [
    "a crowd of members",
    zipFile(Array.from({ length: 10_001 }, (_, index) => ({ name: `${index}.csv`, text: "", stored: true }))),
    "csv.other-format",
    /10001 members/,
  ],
  [
    "an archive in an archive",
    zipFile([{ name: "a.csv", text: zipFile([]).toString("latin1") }]),
    "csv.other-format",
    /a zip archive/,
  ],
];

for (const [what, content, code, message] of BAD)
  test(`${what} is one sentence`, async () => {
    await using folder = await Folder.make();
    await assert.rejects(rowsOf(csv(await folder.file(content)), folder), { code, message });
  });

test("a zip archive from a pipe is answered with the command that unpacks it", async () => {
  const stdin = Readable.from([zipFile([{ name: "a.csv", text: TEXT }])]);
  await assert.rejects(csv("-", { stdin }).describe(), {
    code: "csv.other-format",
    message: /unzip -p FILE/,
  });
});
