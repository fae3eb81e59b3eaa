import assert from "node:assert/strict";
import { test } from "node:test";
import { replacedWord } from "../../scripts/words/file-names.ts";
import { phrasesIn } from "../../scripts/words/phrases.ts";
import { sharedTypeNames } from "../../scripts/words/type-names.ts";

const found = (source: string, file = "src/a.ts") => phrasesIn(file, source).map(({ line }) => line);

test("forbidden phrases are found in comments and messages, and not in names and values", () => {
  assert.deepEqual(found("// A folder\n// is\n// no file.\n"), [2]);
  assert.deepEqual(found("/**\n * What somebody\n * asked for.\n */\nconst a = 1;"), [2]);
  assert.deepEqual(found("/** A list is\n * no map. */"), [1]);
  assert.deepEqual(found(["const a = `$", "{1} cannot be mended $", "{2}`;"].join("")), [1]);
  assert.deepEqual(found('const mended = "mended"; import("./mended.ts");'), []);
  assert.deepEqual(found('throw new Error("Who shall go?");'), [1]);
  assert.deepEqual(found("# Title\n\nBegin anew.", "docs/a.md"), [3]);
});

test("plain English is no violation", () => {
  for (const text of ["There is no file.", "It is no longer there.", "I recommend it.", "It comes with it."])
    assert.deepEqual(found(`// ${text}`), [], text);
});

test("a type name that two floors declare is found, and one that a floor declares twice is not", () => {
  const sources = new Map([
    ["src/pool/a.ts", "export interface Row {}\nexport class Own {}\ninterface Local {}"],
    ["src/store/b.ts", "export type Row = 1;\ninterface Local {}"],
    ["src/pool/c.ts", "export type Own = 1;"],
    ["src/connect/csv/d.ts", "export type Part = 1;"],
    ["src/connect/objects/e.ts", "type Piece = 1;\nexport type { Piece as Part };"],
  ]);
  assert.deepEqual(sharedTypeNames(sources), [
    { name: "Part", files: ["src/connect/csv/d.ts", "src/connect/objects/e.ts"] },
    { name: "Row", files: ["src/pool/a.ts", "src/store/b.ts"] },
  ]);
});

test("a word that the glossary replaces is found in the names of files and folders", () => {
  assert.equal(replacedWord("src/pool/lease-keeper.ts"), "keeper");
  assert.equal(replacedWord("src/batch/place.ts"), "place");
  assert.equal(replacedWord("test/batch/seal.test.ts"), "seal");
  assert.equal(replacedWord("src/objects/http/direct-client.ts"), null);
  assert.equal(replacedWord("src/pool/placement.ts"), null);
});
