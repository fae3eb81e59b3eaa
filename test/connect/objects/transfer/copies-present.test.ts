import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { defineJob, type RunSummary, run } from "../../../../src/batch/index.ts";
import type { AnyJob } from "../../../../src/batch/internal.ts";
import { type CopyOptions, copy } from "../../../../src/connect/objects/index.ts";
import type { Store } from "../../../../src/store/index.ts";
import { interruptedCopy } from "../interrupted.ts";
import { Workspace } from "../workspace.ts";

const OBJECTS = 24;
const names = Array.from({ length: OBJECTS }, (_, at) => `${at}`.padStart(2, "0"));

describe("a copy that is resumed", () => {
  let workspace: Workspace;
  let folder: string;
  let store: Store;
  let options: CopyOptions;

  before(async () => {
    workspace = await Workspace.begin();
    ({ folder, store } = workspace);
    await writeFile(
      join(folder, "names.mjs"),
      `export default (bytes, { key }) => {
        if (key === "01") throw new Error("not this one");
        if (key === "02") return null;
        return { bytes, key: "made/" + key };
      };`,
    );
  });
  beforeEach(async () => {
    const { from, to } = await workspace.ends();
    options = { from, to };
    for (const name of names) await writeFile(join(from, name), name);
  });
  after(() => workspace.end());

  const interrupted = (
    extra: Partial<CopyOptions>,
    meanwhile: () => Promise<unknown>,
    step?: AnyJob["transform"],
  ): Promise<RunSummary> =>
    interruptedCopy({ ...options, ...extra }, { store, meanwhile, ...(step ? { step } : {}) });

  const gone = (count: number) =>
    new RegExp(`^${count} objects that this run had copied are not in .* any more \\(such as `);

  it("into a target that was emptied fails and says so, and started over brings all", async () => {
    const empty = async () => {
      for (const name of await readdir(options.to)) await rm(join(options.to, name));
    };
    const again = await interrupted({}, empty);
    assert.equal(again.state, "failed");
    assert.match(again.note ?? "", gone(OBJECTS / 2));
    assert.match(again.note ?? "", /start over with `restart: true`, which copies what is missing/);
    const startedOver = await run(defineJob({ name: options.to, ...copy(options) }), {
      store,
      restart: true,
    }).summary();
    assert.deepEqual(
      [startedOver.state, startedOver.written, startedOver.unchanged],
      ["succeeded", OBJECTS / 2, OBJECTS / 2],
    );
    assert.deepEqual((await readdir(options.to)).sort(), names);
  });

  it("misses a single object, and no longer once that is back", async () => {
    const again = await interrupted({}, () => rm(join(options.to, "03")));
    assert.match(again.note ?? "", /^An object that this run had copied is not in .* any more \(03\)/);
    await writeFile(join(options.to, "03"), "03");
    const healed = await run(defineJob({ name: options.to, ...copy(options) }), { store }).summary();
    assert.deepEqual([healed.state, healed.written], ["succeeded", OBJECTS]);
  });

  it("and has moved what is missing says that the source has it no more", async () => {
    const again = await interrupted({ move: true }, () => rm(join(options.to, "00")));
    assert.equal(again.state, "failed");
    assert.match(again.note ?? "", /THEY WERE REMOVED FROM THE SOURCE/);
  });

  it("looks for the names that a transform gave, and for none of what it left out or refused", async () => {
    const short = await interrupted({ transform: join(folder, "names.mjs") }, () =>
      rm(join(options.to, "made", "04")),
    );
    assert.match(short.note ?? "", /^An object .* any more \(made\/04\)/);
    assert.deepEqual([short.read, short.skipped, short.quarantined], [OBJECTS, 1, 1]);
  });

  it("looks for what a transform made of the objects", async () => {
    const step = ((entry: { key: string }) =>
      entry.key === "01" ? undefined : { ...entry, key: `s/${entry.key}` }) as AnyJob["transform"];
    const short = await interrupted({}, () => rm(join(options.to, "s/00")), step);
    assert.match(short.note ?? "", /^An object .* any more \(s\/00\)/);
    assert.deepEqual([short.read, short.skipped], [OBJECTS, 1]);
  });

  it("does not miss what could not be copied", async () => {
    await mkdir(join(options.to, "01"), { recursive: true });
    await writeFile(join(options.to, "01", "in the way"), "");
    const again = await interrupted({}, async () => {});
    assert.deepEqual([again.state, again.written, again.quarantined], ["succeeded", OBJECTS - 1, 1]);
  });
});
