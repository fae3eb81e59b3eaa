import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const MODULE = JSON.stringify(
  new URL("../../../src/tasks/attempt/unhandled-errors.ts", import.meta.url).href,
);

/** Runs code while unhandled errors are caught; says how the process ended. */
function run(code: string): { status: number | null; stdout: string; stderr: string } {
  const program = `
    import { catchUnhandledErrors, withinScope } from ${MODULE};
    const stop = catchUnhandledErrors();
    const told = { onUnhandled: ({ error, wasCallback }) => console.log(String(error), wasCallback) };
    ${code}`;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" });
}

test("unhandled errors of an attempt reach its scope, however late, and do not end the process", () => {
  const { status, stdout } = run(`
    withinScope(told, () => void Promise.reject(new Error("at once")));
    withinScope(told, () => setTimeout(() => { throw new Error("later") }, 20));
    withinScope(told, async () => { await null; setTimeout(async () => { throw new Error("last") }, 40) });`);
  assert.deepEqual([status, stdout], [0, "Error: at once false\nError: later true\nError: last false\n"]);
});

test("an unhandled error outside of attempts ends the process as it does without a worker", () => {
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

test("a listener of the program decides about unhandled errors outside of attempts", () => {
  const { status, stdout } = run(`
    process.on("unhandledRejection", (error) => console.log("heard", error.message));
    void Promise.reject(new Error("mine"));
    withinScope(told, () => void Promise.reject(new Error("theirs")));`);
  assert.deepEqual([status, stdout], [0, "heard mine\nError: theirs false\nheard theirs\n"]);
});
