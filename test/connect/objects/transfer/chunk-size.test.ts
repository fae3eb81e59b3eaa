import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defineJob, run } from "../../../../src/batch/index.ts";
import { copy } from "../../../../src/connect/objects/index.ts";

test("a copy begins with chunks of few objects, since each takes time however small it is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-chunks-"));
  try {
    const from = join(folder, "from");
    await mkdir(from);
    await Promise.all(Array.from({ length: 300 }, (_, at) => writeFile(join(from, `${at}.txt`), `${at}`)));
    const { sink, ...rest } = copy({ from, to: join(folder, "to") });
    const sizes: number[] = [];
    const watched: typeof sink = {
      identity: async () => (await sink.identity?.()) ?? null,
      open: async (context) => {
        const opened = await sink.open(context);
        const writer = opened.writer.bind(opened);
        opened.writer = async (...asked) => {
          const writing = await writer(...asked);
          const write = writing.write.bind(writing);
          writing.write = (chunk, buildCheckpoint) => {
            sizes.push(chunk.items);
            return write(chunk, buildCheckpoint);
          };
          return writing;
        };
        return opened;
      },
    };
    await run(defineJob({ name: "chunks", ...rest, sink: watched, concurrency: 1 }), {
      store: join(folder, "store.db"),
    });
    assert.equal((await readdir(join(folder, "to"))).length, 300);
    assert.ok((sizes[0] ?? 0) > 0 && (sizes[0] ?? 0) <= 64, String(sizes));
    assert.ok(sizes.length > 1, String(sizes));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
