import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { csv } from "../../../../src/connect/csv/index.ts";
import { Folder, rowsOf } from "../fixture.ts";

test("paths that lead nowhere are one sentence, with a near name if there is one", async () => {
  await using folder = await Folder.make();
  const path = await folder.file("id\n1\n", "people.csv");
  await mkdir(join(folder.path, "sub"));
  const refused = (given: string, code: string, message: RegExp) =>
    assert.rejects(csv(given).describe(), { code, message });
  await refused(path.replace("people", "poeple"), "csv.missing", /is it .*people\.csv\?/);
  await refused(join(folder.path, "x", "y.csv"), "csv.missing", /does not exist: check the path/);
  await refused(
    join(folder.path, "sub"),
    "csv.directory",
    /is a directory: name its files, such as '.*\*\.csv'/,
  );
  await refused(join(folder.path, "*.tsv"), "csv.no-match", /No file matches/);
  await assert.rejects(csv([]).describe(), { code: "csv.no-match" });
});

test("a glob is all its files in order of name, with one header", async () => {
  await using folder = await Folder.make();
  await folder.file("id\n2\n", "b.csv");
  await folder.file("id\n1\n", "a.csv");
  const source = csv(join(folder.path, "*.csv"));
  assert.deepEqual(await rowsOf(source, folder), [{ id: "1" }, { id: "2" }]);
  assert.equal((await source.describe()).name, "2 files from a.csv to b.csv");
  await folder.file("nr\n2\n", "c.csv");
  await assert.rejects(csv(join(folder.path, "*.csv")).describe(), {
    code: "csv.header-differs",
    message: /c\.csv lacks the column "id" and has a column "nr", other than .*a\.csv/,
  });
});
