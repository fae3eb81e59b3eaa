import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const STRAYS = JSON.stringify(new URL("../../src/tasks/attempt/strays.ts", import.meta.url).href);

/** Runs code while strays are watched; says how the process ended. */
function run(code: string): { status: number | null; stdout: string; stderr: string } {
  const program = `
    import { watchStrays, withinScope } from ${STRAYS};
    const stop = watchStrays();
    const told = { heard: ({ error, wasCallback }) => console.log(String(error), wasCallback) };
    ${code}`;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" });
}

test("strays of an attempt are told to it, however long after, and end nothing", () => {
  const { status, stdout } = run(`
    withinScope(told, () => void Promise.reject(new Error("at once")));
    withinScope(told, () => setTimeout(() => { throw new Error("later") }, 20));
    withinScope(told, async () => { await null; setTimeout(async () => { throw new Error("last") }, 40) });`);
  assert.deepEqual([status, stdout], [0, "Error: at once false\nError: later true\nError: last false\n"]);
});

test("a stray of no attempt ends the process as it would without a worker", () => {
  for (const code of [
    'void Promise.reject(new Error("mine"));',
    'setTimeout(() => { throw new Error("mine") }, 1);',
    'stop(); withinScope(told, () => void Promise.reject(new Error("mine")));',
  ]) {
    const { status, stdout, stderr } = run(`${code} setTimeout(() => console.log("went on"), 60_000);`);
    assert.deepEqual([status, stdout], [1, ""], code);
    assert.match(stderr, /Error: mine/);
  }
});

test("who listens to strays himself decides about those of no attempt", () => {
  const { status, stdout } = run(`
    process.on("unhandledRejection", (error) => console.log("heard", error.message));
    void Promise.reject(new Error("mine"));
    withinScope(told, () => void Promise.reject(new Error("theirs")));`);
  assert.deepEqual([status, stdout], [0, "heard mine\nError: theirs false\nheard theirs\n"]);
});
