import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { type Fault, FaultProxy } from "./fault-proxy.ts";

const BODY = "0123456789".repeat(10_000);

describe("the fault proxy", () => {
  let server: Server;
  let url: string;
  /** What reached the server. */
  const arrived: { method: string; url: string; body: string }[] = [];

  before(async () => {
    server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("error", () => {});
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.once("close", () => {
        const body = Buffer.concat(pieces).toString();
        arrived.push({ method: request.method ?? "", url: request.url ?? "", body });
      });
      request.once("end", () => response.writeHead(200, { "content-length": BODY.length }).end(BODY));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
  });

  const through = async (fault: Fault | null, init: RequestInit = {}) => {
    arrived.length = 0;
    await using proxy = await FaultProxy.start(url, () => fault);
    let status = 0;
    let retryAfter: string | null = null;
    let text = "";
    let failed = false;
    try {
      const response = await fetch(`${proxy.url}/bucket/a%20key?x=1`, init);
      status = response.status;
      retryAfter = response.headers.get("retry-after");
      const decoder = new TextDecoder();
      for await (const piece of response.body ?? []) text += decoder.decode(piece, { stream: true });
    } catch {
      failed = true;
    }
    const [entry] = proxy.journal;
    assert.ok(entry);
    return { status, retryAfter, text, failed, entry };
  };

  it("passes on what it does not spoil", async () => {
    const { status, text, entry } = await through(null, { method: "PUT", body: BODY });
    assert.deepEqual([status, text], [200, BODY]);
    assert.deepEqual(arrived, [{ method: "PUT", url: "/bucket/a%20key?x=1", body: BODY }]);
    assert.deepEqual(
      [entry.asked.operation, entry.asked.bucket, entry.asked.key, entry.served, entry.sent, entry.received],
      ["put", "bucket", "a key", true, BODY.length, BODY.length],
    );
  });

  it("answers in the server's place, with Retry-After", async () => {
    const { status, retryAfter, entry } = await through({ kind: "status", status: 429, retryAfter: "7" });
    assert.deepEqual([status, retryAfter, entry.status, arrived.length], [429, "7", null, 0]);
  });

  it("drops the connection before the server has heard of it", async () => {
    const { failed, status } = await through({ kind: "refused" });
    assert.deepEqual([failed, status, arrived.length], [true, 0, 0]);
  });

  it("loses the answer of what was done", async () => {
    const { failed, status, entry } = await through({ kind: "lost" }, { method: "PUT", body: BODY });
    assert.deepEqual([failed, status, entry.status, arrived[0]?.body], [true, 0, 200, BODY]);
  });

  it("cuts an answer off, shortens it, and spoils it", async () => {
    for (const after of [0, 1, 70_000]) {
      const { failed, text } = await through({ kind: "cut", after });
      assert.equal(failed, true);
      assert.ok(BODY.startsWith(text) && text.length <= after, `${text.length} of ${after}`);
    }
    const short = await through({ kind: "short", by: 3 });
    assert.deepEqual([short.failed, short.text], [false, BODY.slice(0, -3)]);
    const { failed, text } = await through({ kind: "spoilt" });
    assert.deepEqual([failed, text.length, text === BODY], [false, BODY.length, false]);
    const { text: other } = await through({ kind: "rewritten", body: (was) => was.slice(0, 5) });
    assert.equal(other, BODY.slice(0, 5));
  });

  it("cuts what is sent, and spoils it", async () => {
    const body = BODY.repeat(20);
    const cut = await through({ kind: "cut-upload", after: 70_000 }, { method: "PUT", body });
    assert.equal(cut.failed, true);
    assert.ok((arrived[0]?.body.length ?? 0) <= 70_000);
    await through({ kind: "spoilt-upload" }, { method: "PUT", body });
    assert.deepEqual([arrived[0]?.body.length, arrived[0]?.body === body], [body.length, false]);
  });

  it("stalls until the client gives up", async () => {
    const abort = new AbortController();
    await using proxy = await FaultProxy.start(url, () => ({ kind: "stall", after: 10 }));
    const response = await fetch(`${proxy.url}/bucket/key`, { signal: abort.signal });
    const reader = response.body?.getReader();
    const first = await reader?.read();
    assert.equal(first?.value?.length, 10);
    const second = reader?.read();
    abort.abort();
    await assert.rejects(second as Promise<unknown>);
  });
});
