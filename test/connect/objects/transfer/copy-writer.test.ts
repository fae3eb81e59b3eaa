import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { JobLimits } from "../../../../src/batch/job/work-limits.ts";
import { ChecksumThreads } from "../../../../src/connect/objects/compare/checksum-threads.ts";
import { CopyWriter } from "../../../../src/connect/objects/transfer/copy-writer.ts";
import { MemoryBudget } from "../../../../src/connect/objects/transfer/memory-budget.ts";
import { WrittenLog } from "../../../../src/connect/objects/transfer/written-log.ts";
import { PawlError } from "../../../../src/errors.ts";

describe("the objects of a chunk", () => {
  it("are given up together, when what stops one of them would stop the others", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pawl-chunk-"));
    const writtenLog = new WrittenLog(folder);
    try {
      let tried = 0;
      const location = {
        name: "a disk",
        existenceCheck: () => ({ find: async () => new Map() }),
        nameProblem: () => null,
        open: async () => {
          tried++;
          throw new PawlError("test.gone", "the disk is gone");
        },
      };
      const writer = new CopyWriter(
        {
          reader: location as never,
          writer: location as never,
          limits: new JobLimits({ concurrency: 2 }),
          memory: new MemoryBudget(1024),
          checksums: new ChecksumThreads(),
          transform: null,
          signal: new AbortController().signal,
        },
        { move: false, trustsListing: false, writtenLog, names: null },
      );
      const entries = Array.from({ length: 50 }, (_, n) => ({
        key: `${n}`,
        size: 1,
        modified: null,
        etag: null,
      }));
      const chunk = {
        items: entries.length,
        bytes: entries.length,
        end: null,
        slices: async function* () {
          yield entries;
        },
        origin: async () => ({ raw: new Uint8Array(), at: "" }),
      };
      await assert.rejects(
        writer.write(chunk, () => assert.fail("nothing to commit")),
        { code: "test.gone" },
      );
      // Those that were let in meanwhile have begun.
      assert.ok(tried < 10, String(tried));
    } finally {
      writtenLog.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
