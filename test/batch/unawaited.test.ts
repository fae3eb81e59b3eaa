import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";

const source = (path: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, path)).href);

/** A program with a job that fails, and one that cannot begin. */
const program = (body: string) => `
  import { defineJob, run } from ${source("../../src/batch/index.ts")};
  import { NumberSource, MemoryTarget } from ${source("memory-ends.ts")};
  const ends = { source: new NumberSource(10), sink: new MemoryTarget() };
  const failing = defineJob({ name: "failing", ...ends, transform: () => { throw new TypeError("a defect"); }, maxQuarantined: 0 });
  const slow = defineJob({ name: "slow", source: new NumberSource(5000), sink: new MemoryTarget() });
  const unstorable = new NumberSource(10, 10, { at: new Map([[1, 1]]) });
  const neverBegun = defineJob({ name: "never-begun", source: unstorable, sink: new MemoryTarget() });
  ${body}
`;

describe("a run whose failure", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-unawaited-"));
  });
  after(() => rm(folder, { recursive: true }));

  const execute = (body: string) =>
    spawnSync(process.execPath, ["--input-type=module", "--eval", program(body)], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, PAWL_STORE: join(folder, `${crypto.randomUUID()}.db`) },
    });

  for (const [what, body, told] of [
    ["is not awaited", "run(failing);", /RunFailedError.*failing|run\.failed/s],
    ["to begin is not awaited", "run(neverBegun);", /store\.unstorable/],
    ["is not awaited, while its id is", "await run(failing).id();", /run\.failed/],
  ] as const) {
    it(`${what} ends the process, as any unhandled rejection does`, () => {
      const { status, stderr } = execute(body);
      assert.match(stderr, told);
      assert.equal(status, 1);
    });
  }

  for (const [what, body] of [
    ["is awaited", "try { await run(failing); } catch {}"],
    [
      "is in the summary",
      "const { state } = await run(failing).summary(); if (state !== 'failed') process.exit(9);",
    ],
    ["is that it was asked to pause", "await run(slow).pause();"],
    ["to begin is told with the id", "await run(neverBegun).id().catch(() => {});"],
    ["to begin is told by cancel()", "await run(neverBegun).cancel().catch(() => {});"],
  ] as const) {
    it(`${what} is the program's to handle`, () => {
      const { status, stderr } = execute(body);
      assert.equal(stderr, "");
      assert.equal(status, 0);
    });
  }
});
