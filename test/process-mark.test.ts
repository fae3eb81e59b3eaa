import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { ownProcessMark, PROCESS_MARK, processOf } from "../src/process-mark.ts";

test("a mark tells a living process from one that has ended, and says nothing of another machine", () => {
  assert.match(ownProcessMark, new RegExp(`^${PROCESS_MARK}$`));
  assert.equal(processOf(ownProcessMark), "alive");
  const [machine, boot, , start] = ownProcessMark.split("-");
  const ended = spawnSync(process.execPath, ["-e", "process.stdout.write(String(process.pid))"]).stdout;
  assert.equal(processOf([machine, boot, ended, start].join("-")), "dead");
  // The process id was given to another process since.
  assert.equal(processOf([machine, boot, process.pid, 1].join("-")), "dead");
  // The machine was started again since.
  assert.equal(processOf([machine, "00000000", process.pid, start].join("-")), "dead");
  assert.equal(processOf(["0".repeat(12), boot, process.pid, start].join("-")), "unknown");
  assert.equal(processOf("anything"), "unknown");
});
