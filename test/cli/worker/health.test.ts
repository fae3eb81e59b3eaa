import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { serveHealth, WorkerCheck } from "../../../src/cli/worker/health.ts";
import type { Store } from "../../../src/store/index.ts";
import type { RunningWorker, WorkerHealth } from "../../../src/tasks/index.ts";

const { PAWL_HEALTH_TOKEN } = process.env;
afterEach(() => {
  if (PAWL_HEALTH_TOKEN === undefined) delete process.env.PAWL_HEALTH_TOKEN;
  else process.env.PAWL_HEALTH_TOKEN = PAWL_HEALTH_TOKEN;
});

const worker = (health: Partial<WorkerHealth>) =>
  ({
    health: () => ({ sinceTryMs: 0, sinceClaimMs: 0, stopping: false, ...health }),
  }) as RunningWorker;

/** What is answered at these paths. */
async function answers(check: WorkerCheck, address = "127.0.0.1:0", headers: Record<string, string> = {}) {
  const server = await serveHealth(address, check);
  try {
    const { port } = server.address() as AddressInfo;
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
      return `${response.status} ${(await response.text()).trim()}`;
    };
    return { live: await ask("/live"), ready: await ask("/ready?verbose"), other: await ask("/") };
  } finally {
    server.close();
  }
}

test("a worker that waits for its store lives, and is ready when it claims", async () => {
  const check = new WorkerCheck();
  assert.deepEqual(await answers(check), {
    live: "200 live",
    ready: "503 not ready: the worker waits for its store",
    other: "404 there are /live and /ready",
  });
  check.claims(worker({}));
  const { live, ready } = await answers(check);
  assert.deepEqual({ live, ready }, { live: "200 live", ready: "200 ready" });
});

test("a store that does not answer makes a worker not ready, and does not have it started again", async () => {
  const check = new WorkerCheck();
  check.claims(worker({ sinceTryMs: 90_000, sinceClaimMs: 90_000 }));
  const { live, ready } = await answers(check);
  assert.deepEqual({ live, ready }, { live: "200 live", ready: "503 not ready: the store does not answer" });
});

test("a worker that has stopped to ask for tasks has to be started again, unless it was told to stop", async () => {
  const check = new WorkerCheck();
  check.claims(worker({ sinceTryMs: 150_000, sinceClaimMs: 90_000 }));
  assert.equal(
    (await answers(check)).live,
    "503 not live: the worker has asked for no tasks for 150 seconds",
  );
  const stopping = new WorkerCheck();
  stopping.claims(worker({ sinceTryMs: 150_000, sinceClaimMs: 90_000, stopping: true }));
  stopping.stops();
  const { live, ready } = await answers(stopping);
  assert.deepEqual({ live, ready }, { live: "200 live", ready: "503 not ready: the worker stops" });
});

test("a process that only takes part in runs is ready while its store answers", async () => {
  const check = new WorkerCheck();
  let isThere = true;
  check.takesPart({
    now: () => (isThere ? Promise.resolve(0) : Promise.reject(new Error("gone"))),
  } as unknown as Store);
  assert.equal((await answers(check)).ready, "200 ready");
  isThere = false;
  assert.equal((await answers(check)).ready, "503 not ready: the store does not answer");
});

test("an address that other machines can reach wants a token", async () => {
  const check = new WorkerCheck();
  delete process.env.PAWL_HEALTH_TOKEN;
  await assert.rejects(serveHealth("0.0.0.0:8081", check), {
    code: "usage.health",
    message: /can be reached from other machines: set PAWL_HEALTH_TOKEN.* or use 127\.0\.0\.1:8081\.$/,
  });
  process.env.PAWL_HEALTH_TOKEN = "s3cret";
  assert.match((await answers(check, "0.0.0.0:0")).live, /^401 /);
  assert.match((await answers(check, "0.0.0.0:0", { authorization: "Bearer other!" })).live, /^401 /);
  assert.equal((await answers(check, "0.0.0.0:0", { authorization: "Bearer s3cret" })).live, "200 live");
});

test("a token that no header can carry is refused at the start, and the line end of a file with a secret does not count", async () => {
  const check = new WorkerCheck();
  for (const token of [
    " s3cret",
    "s3cret ",
    "  ",
    "\t",
    "schlüssel",
    "a\nb",

    "s3cret\n\n",
    "“s3cret”",
  ]) {
    process.env.PAWL_HEALTH_TOKEN = token;
    await assert.rejects(serveHealth("0.0.0.0:0", check), (error: Error & { code?: string }) => {
      assert.equal(error.code, "usage.health");
      assert.match(error.message, /^PAWL_HEALTH_TOKEN cannot be sent in a header: /);
      assert.ok(!error.message.includes("s3cret"));
      return true;
    });
  }
  process.env.PAWL_HEALTH_TOKEN = "\n";
  await assert.rejects(serveHealth("0.0.0.0:0", check), { message: /set PAWL_HEALTH_TOKEN/ });
  for (const end of ["", "\n", "\r\n"]) {
    process.env.PAWL_HEALTH_TOKEN = `a s3cret!${end}`;
    for (const scheme of ["Bearer", "bearer", "BEARER "])
      assert.equal(
        (await answers(check, "0.0.0.0:0", { authorization: `${scheme} a s3cret!` })).live,
        "200 live",
      );
    assert.match((await answers(check, "0.0.0.0:0", { authorization: "a s3cret!" })).live, /^401 /);
    assert.match((await answers(check, "0.0.0.0:0", { authorization: "Bearer " })).live, /^401 /);
  }
});

test("an address that does not parse, or is taken, is refused in one sentence", async () => {
  const check = new WorkerCheck();
  for (const address of ["abc", "127.0.0.1", "127.0.0.1:99999", "http://127.0.0.1:1"])
    await assert.rejects(serveHealth(address, check), {
      code: "usage.health",
      message: /^--health takes an/,
    });
  const server = await serveHealth("0", check);
  const { port } = server.address() as AddressInfo;
  await assert.rejects(serveHealth(`${port}`, check), { code: "usage.health", message: /EADDRINUSE/ });
  server.close();
});

test("connections that send nothing hold neither the answer nor many file descriptors", async () => {
  const server = await serveHealth("0", new WorkerCheck());
  const { port } = server.address() as AddressInfo;
  const silent = [];
  for (let n = 0; n < 200; n++) {
    silent.push(await connected(port));
  }
  const response = await fetch(`http://127.0.0.1:${port}/live`);
  assert.equal(await response.text(), "live\n");
  const held = await new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
  assert.ok(held <= 33, `${held} are held`);
  for (const socket of silent) socket.destroy();
  server.close();
});

test("a connection whose request is answered outlives later ones that send nothing", async () => {
  const check = new WorkerCheck();
  const asked = Promise.withResolvers<void>();
  const store = Promise.withResolvers<number>();
  check.takesPart({
    now: () => {
      asked.resolve();
      return store.promise;
    },
  } as unknown as Store);
  const server = await serveHealth("0", check);
  const { port } = server.address() as AddressInfo;
  const response = fetch(`http://127.0.0.1:${port}/ready`).then((answer) => answer.text());
  await asked.promise;
  let accepted = 0;
  server.on("connection", () => accepted++);
  const silent = await Promise.all(Array.from({ length: 40 }, () => connected(port)));
  while (accepted < silent.length) await setImmediate();
  store.resolve(0);
  assert.equal(await response, "ready\n");
  for (const socket of silent) socket.destroy();
  server.close();
});

test("connections whose request waits for the store are few as well, and the newest is answered", async () => {
  const check = new WorkerCheck();
  let asked = 0;
  const store = Promise.withResolvers<number>();
  check.takesPart({
    now: () => {
      asked++;
      return store.promise;
    },
  } as unknown as Store);
  const server = await serveHealth("0", check);
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  for (let n = 1; n <= 60; n++) {
    const socket = await connected(port);
    socket.write("GET /ready HTTP/1.1\r\nhost: a\r\n\r\n");
    while (asked < n) await setImmediate();
    sockets.push(socket);
  }
  const held = await new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
  assert.ok(held <= 17, `${held} are held`);
  store.resolve(0);
  const [answer] = await once(sockets.at(-1) as Socket, "data");
  assert.match(`${answer}`, /^HTTP\/1\.1 200 /);
  for (const socket of sockets) socket.destroy();
  server.close();
});

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  await once(socket, "connect");
  return socket;
}
