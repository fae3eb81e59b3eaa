import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { csv } from "../../../../src/connect/csv/index.ts";
import { Folder, rowsOf } from "../fixture.ts";

const hex = (text: string) => Buffer.from(text, "hex");
const tar = Buffer.alloc(1024);
tar.write("data.csv", 0);
tar.write("ustar\0", 257, "latin1");

const FORMATS: [what: string, content: Buffer, message: RegExp][] = [
  ["xz", hex("fd377a585a000004e6d6b446"), /an xz archive .*xz -dc '.*the file\.csv' \| pawl load -/],
  ["bzip2", Buffer.from("BZh91AY&SYxxxx"), /bzip2 -dc/],
  ["7-Zip", hex("377abcaf271c0004"), /7z e -so/],
  ["RAR", hex("526172211a070100"), /unrar p/],
  ["lz4", hex("04224d1864404000"), /lz4 -dc/],
  ["lzip", hex("4c5a4950010c0000"), /lzip -dc/],
  ["Parquet", hex("5041523115041500"), /a Parquet file .*duckdb/],
  ["tar", tar, /a tar archive .*tar -xOf/],
  ["a packed tar", gzipSync(tar), /a tar archive .*tar -xOf/],
  ["gzip in gzip", gzipSync(gzipSync("id,v\n1,a\n")), /is packed twice and not a CSV: unpack it once/],
  ["zstd in gzip", gzipSync(zstdCompressSync("id,v\n1,a\n")), /is packed twice/],
  ["a packed xz", zstdCompressSync(hex("fd377a585a000004e6d6b446")), /xz -dc/],
  ["an old sheet", hex("d0cf11e0a1b11ae10000"), /save the sheet as CSV/],
  ["JSON", Buffer.from('\n[\n  {"a": 1}]'), /is JSON .*jq -r '\.\[\]/],
  ["JSON lines", Buffer.from('{"a": 1, "b": {"c": 2}}\n{"a": 2}\n'), /is JSON .*jq -r '\. \|/],
  ["a web page", Buffer.from("<!DOCTYPE html>\n<html>"), /a web page/],
  ["XML", Buffer.from('<?xml version="1.0"?><a/>'), /is XML/],
];

for (const [what, content, message] of FORMATS)
  test(`${what} is told apart from a CSV, from a file and from a pipe`, async () => {
    await using folder = await Folder.make();
    const path = await folder.file(content, "the file.csv");
    await assert.rejects(csv(path).describe(), { code: "csv.other-format", message });
    const stdin = Readable.from([content.subarray(0, 3), content.subarray(3)]);
    await assert.rejects(csv("-", { stdin }).describe(), { code: "csv.other-format" });
  });

test("headers that begin as other formats do are headers", async () => {
  await using folder = await Folder.make();
  for (const name of [
    "BZhang",
    "ORCID",
    "PAR1",
    "PK",
    "LZIP",
    "7z",
    "Objective",
    "SQLite format 3",

    "[x]",
  ])
    assert.deepEqual(await rowsOf(csv(await folder.file(`${name},b\n1,2\n`)), folder), [
      { [name]: "1", b: "2" },
    ]);
});
