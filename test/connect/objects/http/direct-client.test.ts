import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { createServer as createSecureServer, getCACertificates, setDefaultCACertificates } from "node:tls";
import { DirectHttpClient } from "../../../../src/connect/objects/http/direct-client.ts";

// Of this test alone: they prove nothing elsewhere.
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQga9iVT3thKbs3tGVA
jMqHz7GGwIvOlS9Ggs/NWlaXjc6hRANCAASmq81KCElG1K/IFLYmkFlu0N9OI2Pe
C3U8cJClkag07tWlcTxANED899t+My2z+XhxWHNo/34zl5CqF7u4JZxy
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUAwYE1sfwtZObAfaZOG6x2/dWFtgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTE2NDcyM1oYDzIxMjYxMDI4
MTY0NzIzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASmq81KCElG1K/IFLYmkFlu0N9OI2PeC3U8cJClkag07tWlcTxANED8
99t+My2z+XhxWHNo/34zl5CqF7u4JZxyo2kwZzAdBgNVHQ4EFgQUUUqvXr67Gk7j
B9hWZpRAtRul5jwwHwYDVR0jBBgwFoAUUUqvXr67Gk7jB9hWZpRAtRul5jwwFAYD
VR0RBA0wC4IJbG9jYWxob3N0MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
RwAwRAIgMpdFilZEIOIZ/xYvYKpywDK4kvK6M+ZKEPARps1AjO4CIDjy/Q7RZ0Vj
KCUCwWBsgtfVThrfQqHCP/bl/ZmDqZMz
-----END CERTIFICATE-----`;

type Script = (socket: Socket, request: string, nth: number) => void;

/** Runs a server that does to each request what the test says, and a wire to it. */
async function withServer(
  script: Script,
  work: (wire: DirectHttpClient, opened: () => number) => Promise<void>,
  { secure = false, silenceMs = 60_000 } = {},
): Promise<void> {
  let connections = 0;
  let requests = 0;
  const sockets = new Set<Socket>();
  const serve = (socket: Socket) => {
    connections++;
    sockets.add(socket);
    let text = "";
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const request = text.slice(0, end);
        text = text.slice(end + 4);
        script(socket, request, ++requests);
      }
    });
  };
  const server = secure ? createSecureServer({ key: KEY, cert: CERTIFICATE }, serve) : createServer(serve);
  server.listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const wire = new DirectHttpClient({
    endpoint: new URL(`${secure ? "https" : "http"}://localhost:${port}`),
    silenceMs,
    silent: () => new Error("silent"),
  });
  try {
    await work(wire, () => connections);
  } finally {
    wire.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  }
}

const REQUEST = { path: "/a/b%20c", headers: { host: "x", range: "bytes=0-9" } };
const head = (status: string, ...lines: string[]) => `HTTP/1.1 ${[status, ...lines].join("\r\n")}\r\n\r\n`;
const found = (body: Buffer) =>
  Buffer.concat([Buffer.from(head("206 Partial", `content-length: ${body.length}`, 'ETag: "t"')), body]);

describe("bytes that are received into the caller's memory", () => {
  for (const secure of [false, true]) {
    it(`come whole over one connection, ${secure ? "over TLS" : "plain"}, also into memory that threads share`, async () => {
      if (secure) setDefaultCACertificates([...getCACertificates("default"), CERTIFICATE]);
      const body = Buffer.alloc(5_000_000, "pawl");
      const asked: string[] = [];
      await withServer(
        (socket, request) => {
          asked.push(request);
          socket.write(found(body));
        },
        async (wire, opened) => {
          for (let round = 0; round < 3; round++) {
            const into = Buffer.from(new SharedArrayBuffer(body.length));
            const answer = await wire.get(REQUEST, into);
            assert.equal(answer?.status, 206);
            assert.equal(answer.headers.etag, '"t"');
            assert.ok(into.equals(body));
          }
          assert.equal(opened(), 1);
          assert.deepEqual(asked, Array(3).fill("GET /a/b%20c HTTP/1.1\r\nhost: x\r\nrange: bytes=0-9"));
        },
        { secure },
      );
    });
  }

  it("come whole when head and body arrive byte by byte, and when there are none", async () => {
    await withServer(
      async (socket, _, nth) => {
        socket.setNoDelay(true);
        for (const byte of nth === 1 ? found(Buffer.from("0123456789")) : found(Buffer.alloc(0))) {
          socket.write(Buffer.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
      async (wire) => {
        const into = Buffer.alloc(10);
        assert.equal((await wire.get(REQUEST, into))?.status, 206);
        assert.equal(into.toString(), "0123456789");
        assert.equal((await wire.get(REQUEST, Buffer.alloc(0)))?.status, 206);
      },
    );
  });

  const unfit: [string, string][] = [
    ["of another length", `${head("200 OK", "content-length: 4")}0123`],
    ["in chunks", `${head("200 OK", "transfer-encoding: chunked")}3\r\n012\r\n0\r\n\r\n`],
    ["without a length", `${head("200 OK")}012`],
    ["with two lengths", `${head("200 OK", "content-length: 3", "content-length: 4")}0123`],
    ["longer than it says", `${head("200 OK", "content-length: 3")}01234`],
    ["of another protocol", "SSH-2.0-OpenSSH_9.9\r\n\r\n"],
    ["with a head without an end", `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(10_000)}`],
  ];
  for (const [what, answer] of unfit) {
    it(`are left to Node's client where the answer is ${what}`, async () => {
      await withServer(
        (socket) => void socket.write(answer),
        async (wire) => assert.equal(await wire.get(REQUEST, Buffer.alloc(3)), null),
      );
    });
  }

  it("do not come where an error does, which tells what it says, in one piece or in chunks", async () => {
    const said = "<Error><Code>SlowDown</Code></Error>";
    const answers = [
      `${head("503 Slow Down", "retry-after: 7", `content-length: ${said.length}`)}${said}`,
      `${head("503 Slow Down", "retry-after: 7", "transfer-encoding: chunked")}24\r\n${said}\r\n0\r\n\r\n`,
    ];
    await withServer(
      (socket, _, nth) => void socket.write(answers[nth - 1] as string),
      async (wire) => {
        for (let round = 0; round < 2; round++) {
          const answer = await wire.get(REQUEST, Buffer.alloc(3));
          assert.equal(answer?.status, 503);
          assert.equal(answer.headers["retry-after"], "7");
          assert.ok(answer.errorBody.toString().includes(said));
        }
      },
    );
  });

  it("are asked for again when a kept connection turns out to be closed, and not when a new one breaks", async () => {
    await withServer(
      (socket, _, nth) => {
        if (nth === 2) socket.resetAndDestroy();
        else if (nth === 4) socket.end(found(Buffer.from("012")).subarray(0, -1));
        else socket.write(found(Buffer.from("012")));
      },
      async (wire, opened) => {
        const into = Buffer.alloc(3);
        assert.equal((await wire.get(REQUEST, into))?.status, 206);
        assert.equal((await wire.get(REQUEST, into))?.status, 206);
        assert.equal(opened(), 2);
        // Cut in the middle: the answer had begun.
        await assert.rejects(wire.get(REQUEST, into), { code: "ECONNRESET" });
        assert.equal((await wire.get(REQUEST, into))?.status, 206);
      },
    );
  });

  it("are given up when nothing comes for long", async () => {
    await withServer(
      (socket) => void socket.write(found(Buffer.from("012")).subarray(0, -1)),
      async (wire) => {
        await assert.rejects(wire.get(REQUEST, Buffer.alloc(3)), /silent/);
      },
      { silenceMs: 50 },
    );
  });

  it("are refused where no server listens", async () => {
    const server = createServer().listen(0, "localhost");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    const wire = new DirectHttpClient({
      endpoint: new URL(`http://localhost:${port}`),
      silenceMs: 60_000,
      silent: () => new Error("silent"),
    });
    await assert.rejects(wire.get(REQUEST, Buffer.alloc(3)), { code: "ECONNREFUSED" });
  });
});
