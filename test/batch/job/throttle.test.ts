import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { whileFile, whileLoadAbove, whileOutside } from "../../../src/batch/index.ts";

const { signal } = new AbortController();

describe("a run waits", () => {
  it("outside of its times of day, over midnight too", async () => {
    const at = (time: string) =>
      whileOutside(["22:00-06:00", "12:30-13:00"], () => new Date(`2026-03-01T${time}:00`))(signal);
    for (const time of ["22:00", "23:59", "00:00", "05:59", "12:30", "12:59"])
      assert.equal(await at(time), null, time);
    for (const time of ["21:59", "06:00", "12:29", "13:00"]) {
      assert.equal(await at(time), "it is not between 22:00-06:00 and 12:30-13:00", time);
    }
    assert.equal(await whileOutside(["00:00-24:00"])(signal), null);
    for (const wrong of ["", "22-6", "22:00", "25:00-26:00", "10:00-10:00", "10:61-11:00", "24:01-24:30"]) {
      assert.throws(() => whileOutside([wrong]), { code: "job.window" }, wrong);
    }
  });

  it("while the machine is loaded", async () => {
    let load = 3.94;
    const throttle = whileLoadAbove(2, () => load);
    assert.equal(await throttle(signal), "the load is 3.9, above 2");
    load = 2;
    assert.equal(await throttle(signal), null);
  });

  it("while a file is there", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pawl-throttle-"));
    const path = join(folder, "hold");
    const throttle = whileFile(path);
    assert.equal(await throttle(signal), null);
    await writeFile(path, "");
    assert.equal(await throttle(signal), `the file ${path} is there`);
    await rm(folder, { recursive: true });
  });
});
