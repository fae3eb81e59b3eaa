import assert from "node:assert/strict";
import { appendFile, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Shard } from "../../../../src/batch/contract.ts";
import { type CsvOptions, csv } from "../../../../src/connect/csv/index.ts";
import { PawlError } from "../../../../src/errors.ts";
import { randomFrom } from "../../../random.ts";
import { Folder, readAll, shardsOf, signal } from "../fixture.ts";
import { zipFile } from "./zip-file.ts";

test("a file that shrinks, grows or vanishes after planning is refused", async () => {
  await using folder = await Folder.make();
  for (const change of [
    (path: string) => truncate(path, 8),
    (path: string) => appendFile(path, "3\n"),
    unlink,
  ]) {
    const path = await folder.file("id\n1\n2\n4\n5\n");
    const source = csv(path);
    const shards = await shardsOf(source, folder);
    await change(path);
    await assert.rejects(readAll(source, shards, { items: 9, bytes: 999 }), (error: unknown) => {
      assert.ok(error instanceof PawlError);
      assert.match(error.code, change === unlink ? /csv\.missing/ : /csv\.changed/);
      return true;
    });
  }
});

test("a file that a program writes into while it is read is never taken for one file", async () => {
  await using folder = await Folder.make();
  const draw = randomFrom(7);
  // Of letters that no packing shortens, so that no form is read in one go.
  const noise = () =>
    Array.from({ length: 60 }, () => String.fromCharCode(97 + Math.floor(draw() * 26))).join("");
  const text = `id,v\n${Array.from({ length: 20_000 }, (_, id) => `${id},${noise()}\n`).join("")}`;
  const forms: [string, Buffer, CsvOptions][] = [
    ["plain", Buffer.from(text), {}],
    ["gzip", gzipSync(text), {}],
    ["zstd", zstdCompressSync(text), {}],
    ["latin1", Buffer.from(text, "latin1"), { encoding: "latin1" }],
    ["zip", zipFile([{ name: "a.csv", text }]), {}],
  ];
  const writes: [string, (path: string, size: number) => Promise<void>][] = [
    ["grows", (path) => appendFile(path, "x")],
    ["shrinks", (path, size) => truncate(path, size - 1000)],
    ["is written over", (path, size) => writeFile(path, Buffer.alloc(size, "1,b\n"), { flag: "r+" })],
  ];
  for (const [form, content, options] of forms) {
    for (const [how, write] of writes) {
      const path = await folder.file(content, `${form}.data`);
      await utimes(path, 1, 1);
      const source = csv(path, options);
      const shards = await shardsOf(source, folder);
      const read = async () => {
        let written = false;
        for await (const chunk of source.read(
          shards[0] as Shard,
          null,
          { items: 500, bytes: 40_000 },
          signal,
        )) {
          for await (const _ of chunk.slices());
          if (!written) await write(path, content.length);
          written = true;
        }
      };
      await assert.rejects(read(), { code: "csv.changed" }, `${form} ${how}`);
    }
  }
});
