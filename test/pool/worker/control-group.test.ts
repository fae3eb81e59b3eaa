import assert from "node:assert/strict";
import { test } from "node:test";
import { folderOf } from "../../../src/pool/worker/descendants.ts";

const groups = (path: string) => `8:pids:/user.slice\n1:cpu:/\n0::${path}\n`;
const mount = (root: string, folder: string, kind = "cgroup2") =>
  `37 24 0:31 ${root} ${folder} rw,nosuid shared:9 - ${kind} ${kind} rw,nsdelegate\n`;

test("the folder of a control group is found by what is mounted", () => {
  const found: readonly [groups: string, mounts: string, folder: string | null][] = [
    [groups("/"), mount("/", "/sys/fs/cgroup"), "/sys/fs/cgroup"],
    [groups("/a/b.service"), mount("/", "/sys/fs/cgroup"), "/sys/fs/cgroup/a/b.service"],
    [
      groups("/"),
      mount("/", "/sys/fs/cgroup/cpu", "cgroup") + mount("/", "/sys/fs/cgroup/unified"),
      "/sys/fs/cgroup/unified",
    ],
    [groups("/docker/1/x"), mount("/docker/1", "/cg"), "/cg/x"],
    [groups("/docker/1"), mount("/docker/1", "/cg"), "/cg"],
    [groups("/docker/12"), mount("/docker/1", "/cg"), null],
    [groups("/a"), mount("/docker/1", "/other") + mount("/", "/cg\\040here"), "/cg here/a"],
    [groups("/"), mount("/", "/sys/fs/cgroup", "cgroup"), null],
    ["8:pids:/\n", mount("/", "/sys/fs/cgroup"), null],
    ["", "", null],
  ];
  for (const [groups, mounts, folder] of found) assert.equal(folderOf(groups, mounts), folder);
});
