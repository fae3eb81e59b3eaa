import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDead, parseWorkerId } from "../../../src/tasks/internal.ts";
import { ownWorkerId } from "../../../src/tasks/worker/worker-id.ts";

const linux = existsSync("/proc/self/stat");

/** The own id with one part changed. */
function changed(part: number, value: string): string {
  return ownWorkerId.split(":").with(part, value).join(":");
}

test("a worker id names host and process", () => {
  const id = parseWorkerId(ownWorkerId);
  assert.deepEqual([id?.host, id?.pid], [hostname(), process.pid]);
  assert.equal(parseWorkerId("w1"), undefined);
  assert.equal(parseWorkerId(changed(1, "-1")), undefined);
});

test("only a process of this machine that is gone for certain is dead", { skip: !linux }, () => {
  assert.equal(isDead(ownWorkerId), false);
  assert.equal(isDead("w1"), false);
  assert.equal(isDead(changed(0, "elsewhere")), false, "another host");
  assert.equal(isDead(changed(4, "0123")), false, "another container");
  assert.equal(isDead(changed(2, "1")), true, "the process id is used again");
  assert.equal(isDead(changed(3, "another-boot")), true, "the machine was started again");
  assert.equal(isDead(changed(1, "4194305")), true, "no such process, beyond the largest id of Linux");
});

test("a killed process is dead even before its parent has waited for it", { skip: !linux }, async () => {
  const print = `import { ownWorkerId } from ${JSON.stringify(new URL("../../../src/tasks/worker/worker-id.ts", import.meta.url).href)};
    console.log(ownWorkerId); setInterval(() => {}, 1000);`;
  // The parent becomes `sleep`, which never waits for its children: a killed child stays a zombie.
  const parent = spawn(
    "sh",
    ["-c", '"$0" --input-type=module -e "$1" & exec sleep 3600', process.execPath, print],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  try {
    const lines = createInterface(parent.stdout);
    const id = await new Promise<string>((resolve) => lines.once("line", resolve));
    const pid = parseWorkerId(id)?.pid ?? 0;
    try {
      assert.equal(isDead(id), false);
      process.kill(pid, "SIGSTOP");
      assert.equal(isDead(id), false, "a suspended process is not dead");
    } finally {
      process.kill(pid, "SIGKILL");
    }
    while (!isDead(id)) await sleep(10);
    process.kill(pid, 0);
  } finally {
    parent.kill("SIGKILL");
  }
});
