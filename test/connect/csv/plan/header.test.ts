import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { csv } from "../../../../src/connect/csv/index.ts";
import { Folder, rowsOf } from "../fixture.ts";

test("a header of a hundred thousand columns is refused, and ten thousand are read", async () => {
  await using folder = await Folder.make();
  const names = Array.from({ length: 100_000 }, (_, index) => `c${index}`);
  const wide = await folder.file(`${names.join(",")}\n`);
  await assert.rejects(csv(wide).describe(), { code: "csv.header", message: /line 1 has 100000 fields/ });
  await assert.rejects(csv(wide, { header: false }).describe(), { code: "csv.header" });
  const long = await folder.file(`id,${"x".repeat(2_000_000)}\n1,2\n`);
  await assert.rejects(csv(long).describe(), { code: "csv.header", message: /longer than 1 MB/ });
  const taken = names.slice(0, 10_000);
  const path = await folder.file(`${taken.join(",")}\n${taken.map((_, index) => index).join(",")}\n`);
  for (const options of [{}, { trim: true, nullValuesFor: { c7: "7" } }]) {
    const [row] = await rowsOf(csv(path, options), folder);
    assert.equal((row as Record<string, unknown>).c9999, "9999");
  }
  const twice = await folder.file(`${[...taken.slice(1), "c5"].join(",")}\n`);
  await assert.rejects(csv(twice).describe(), { message: /"c5" twice, as columns 5 and 10000/ });
});

test("names given for the columns go to the columns that the first header names, in whatever order other files have them", async () => {
  await using folder = await Folder.make();
  const columns = ["id", "vor", "nach"];
  const first = await folder.file("id,first,last\n1,Ada,Lovelace\n", "n1.csv");
  const [ada, grace] = [
    { id: "1", vor: "Ada", nach: "Lovelace" },
    { id: "2", vor: "Grace", nach: "Hopper" },
  ];
  const other = "id, last ,first\r\n2,Hopper,Grace\r\n";
  for (const content of [other, gzipSync(other), `\ufeff${other}`, Buffer.from(`\ufeff${other}`, "utf16le")])
    assert.deepEqual(await rowsOf(csv([first, await folder.file(content, "n2.csv")], { columns }), folder), [
      ada,
      grace,
    ]);
  for (const header of ["id,first,name", "id,last,last", "2,Grace,Hopper", "id,first,"])
    await assert.rejects(
      csv([first, await folder.file(`${header}\n2,a,b\n`, "n2.csv")], { columns }).describe(),
      {
        code: "csv.header-differs",
        message: /n2\.csv/,
      },
    );
  // Names are given for headers that have none, or the same twice, or in another encoding.
  for (const header of [",a,a", "id,x\xe4,x\xf6"]) {
    const files = [1, 2].map((id) => folder.file(Buffer.from(`${header}\n${id},a,b\n`, "latin1")));
    const rows = await rowsOf(csv(await Promise.all(files), { columns }), folder);
    assert.deepEqual(
      rows,
      [1, 2].map((id) => ({ id: String(id), vor: "a", nach: "b" })),
    );
  }
  const joined = await folder.file("id,first,last\n1,Ada,Lovelace\n\ufeffid,first,last\n2,Grace,Hopper\n");
  assert.deepEqual(await rowsOf(csv(joined, { columns }), folder), [
    ada,
    "row is the header again: files were joined here",
    grace,
  ]);
});
