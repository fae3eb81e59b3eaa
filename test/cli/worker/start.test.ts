import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestServer } from "../../connect/postgres/server.ts";
import { WorkerCommand } from "../../tasks/suite/worker-command.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const TASKS = fileURLToPath(new URL("../../tasks/fixtures/tasks.ts", import.meta.url));
const LAUNCHER = fileURLToPath(new URL("../fixtures/npm-launcher.ts", import.meta.url));

let folder: string;
let store: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-worker-start-"));
  store = join(folder, "state.db");
});
after(() => rm(folder, { recursive: true }));

async function heard(worker: { readonly said: string }, text: string): Promise<void> {
  while (!worker.said.includes(text)) await new Promise((resolve) => setTimeout(resolve, 10));
}

test("a worker that is started before its database says that it waits, and begins when it is there", async () => {
  await using server = await TestServer.shared();
  const url = new URL(await server.createDatabase());
  const port = await freePort();
  const proxied = new URL(url);
  proxied.port = `${port}`;
  await using proxy = createServer((socket) => {
    const upstream = connect(Number(url.port), url.hostname);
    socket.pipe(upstream).pipe(socket);
    for (const each of [socket, upstream]) each.on("error", () => {});
  });
  await using worker = new WorkerCommand(proxied.href);
  await heard(worker, "waits for the store");
  assert.ok(!worker.said.includes(url.password));
  await once(proxy.listen(port, url.hostname), "listening");
  await worker.ready();
  assert.match(worker.said, /the store is there/);
  worker.signal("SIGTERM");
  assert.deepEqual(await worker.exited, { code: 0, signal: null });
});

test("a worker whose terminal closes stops in good order, and says how to end it at once", async () => {
  await using worker = new WorkerCommand(store, "--queues", "default:1");
  await worker.ready();
  worker.signal("SIGHUP");
  assert.deepEqual(await worker.exited, { code: 0, signal: null });
  assert.match(worker.said, /SIGHUP: takes no more tasks; SIGHUP again ends it at once/);
});

test("a queue that does not parse is refused", async () => {
  for (const queues of [
    "default=4",
    "default 4",
    "default;other:2",
    "default:4=",
    ":4",
    "default:0",
    "default:x",
  ]) {
    await using worker = new WorkerCommand(store, "--queues", queues);
    assert.deepEqual(await worker.exited, { code: 2, signal: null }, `${queues}: ${worker.said}`);
    assert.match(worker.said, /--queues/);
  }
});

test("a queue that no task of the modules is in is said, with names like it", async () => {
  await using worker = new WorkerCommand(store, "--queues", "defualt:1,default:2,elsewhere:1");
  await worker.ready();
  assert.match(worker.said, /no task of the modules is in queue "defualt": did you mean default\?/);
  assert.match(
    worker.said,
    /no task of the modules is in queue "elsewhere": the tasks of the modules are in /,
  );
  assert.doesNotMatch(worker.said, /in queue "default"/);
});

for (const shell of [true, false]) {
  test(`a worker ends in good order when the npx that started it is gone${shell ? ", and leaves a shell" : ""}`, async () => {
    const command = [process.execPath, MAIN, "worker", TASKS];
    const launcher: ChildProcess = spawn(process.execPath, [LAUNCHER, JSON.stringify({ shell, command })], {
      env: { ...process.env, PAWL_STORE: store, npm_command: "exec" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const said = { said: "" };
    launcher.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said.said += text;
    });
    await heard(said, "takes tasks");
    const closed = once(launcher, "close");
    launcher.kill("SIGTERM");
    await heard(said, "npm is gone, which had started this worker");
    // Its standard error is closed when the last of them has ended.
    await closed;
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
