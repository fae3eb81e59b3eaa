import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithout } from "../../missing.ts";
import { WorkerCommand } from "../../tasks/suite/worker-command.ts";

/** A service manager's end of the protocol: prints each datagram as a line. */
const RECEIVER = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(receiver.recv(4096).decode().replace("\\n", " "), flush=True)
`;

const lacks = ["systemd-notify", "python3"].find((program) => spawnSync(program, ["--version"]).status !== 0);

test("a worker tells systemd that it is ready, that it lives, and that it stops", {
  skip: skipWithout("systemd", lacks === undefined ? null : `this machine has no ${lacks}`),
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-systemd-"));
  const socket = join(folder, "notify");
  const receiver = spawn("python3", ["-c", RECEIVER, socket], { stdio: ["ignore", "pipe", "inherit"] });
  let heard = "";
  receiver.stdout.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
  });
  const hears = async (text: string) => {
    while (!heard.includes(text)) await once(receiver.stdout, "data");
  };
  const { NOTIFY_SOCKET, WATCHDOG_USEC } = process.env;
  try {
    await hears("bound");
    Object.assign(process.env, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "1000000" });
    await using worker = new WorkerCommand(join(folder, "store.db"));
    await hears("READY=1");
    assert.match(worker.said, /takes tasks/);
    await hears("WATCHDOG=1");
    worker.signal("SIGTERM");
    assert.deepEqual(await worker.exited, { code: 0, signal: null });
    await hears("STOPPING=1");
    assert.doesNotMatch(worker.said, /systemd/);
  } finally {
    for (const [name, value] of Object.entries({ NOTIFY_SOCKET, WATCHDOG_USEC }))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    receiver.kill();
    await rm(folder, { recursive: true, force: true });
  }
});
