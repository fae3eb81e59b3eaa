import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { defineJob, run } from "../../../../src/batch/index.ts";
import { findRun, openItems, replayJob } from "../../../../src/batch/internal.ts";
import { DEFAULT_BUDGET } from "../../../../src/connect/objects/http/response-budget.ts";
import { copy } from "../../../../src/connect/objects/index.ts";
import { scopeOf } from "../../../../src/connect/objects/web/address-scope.ts";
import { WebReader } from "../../../../src/connect/objects/web/reader.ts";
import { openStore, type Store } from "../../../../src/store/index.ts";

const kept = { ...process.env };
let folder: string;
let store: Store;
const servers: Server[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-web-"));
  process.env.PAWL_STORE = join(folder, "state", "store.db");
  process.env.PAWL_PAUSE_MS = "1";
  await mkdir(join(folder, "state"));
  store = await openStore(join(folder, "state", "store.db"));
});
after(async () => {
  for (const key of Object.keys(process.env)) if (!(key in kept)) delete process.env[key];
  Object.assign(process.env, kept);
  await store.close();
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  await rm(folder, { recursive: true, force: true });
});

const serve = async (listener: RequestListener, host = "127.0.0.1"): Promise<string> => {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return `http://${host}:${(server.address() as AddressInfo).port}`;
};
const manifest = async (name: string, rows: readonly object[]): Promise<string> => {
  await writeFile(join(folder, name), rows.map((row) => JSON.stringify(row)).join("\n"));
  return join(folder, name);
};
const reasons = async (id: string) => {
  const found: Record<string, string> = {};
  for await (const { at, reason } of openItems(store, id)) found[at.replace(/^.*[/]/, "")] = reason;
  return found;
};

describe("an address", () => {
  it("is known for how near it is, in whatever form it is written", () => {
    const near: Record<number, string[]> = {
      3: [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "[::1]",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "nonsense",
        "",
      ],
      2: [
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
      ],
      1: [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "fd00::1",
        "fc00::1",
        "::ffff:10.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "2001:db8::1",
      ],
      0: [
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "1.1.1.1",
        "2606:4700:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
      ],
    };
    for (const [reach, addresses] of Object.entries(near))
      for (const address of addresses) assert.equal(scopeOf(address), Number(reach), address);
  });
});

describe("where a server of the web leads", () => {
  it("is followed, but to no address that is nearer to this machine than the server", async () => {
    const asked: string[] = [];
    const inside = await serve((request, response) => {
      asked.push(String(request.headers.host));
      response.end("secret");
    });
    const port = new URL(inside).port;
    // On a machine of its own, as far as the reader is told.
    const outside = await serve((request, response) => {
      const to = new URL(request.url ?? "", "http://x").searchParams.get("to");
      if (to === null) response.end("public");
      else response.writeHead(302, { location: to }).end();
    }, "127.0.0.2");
    const reach = (address: string) => (/127\.0\.0\.2$/.test(address) ? 0 : scopeOf(address));
    const forms = [
      "127.0.0.1",
      "localhost",
      "0177.0.0.1",
      "2130706433",
      "0x7f.1",
      "127.1",
      "0.0.0.0",
      "[::ffff:127.0.0.1]",
      "[::1]",
    ];
    const rows = forms.map((host) => ({
      name: host,
      url: `${outside}/a?to=${encodeURIComponent(`http://${host}:${port}/${host}`)}`,
    }));
    const twice = `${outside}/a?to=${encodeURIComponent(`${outside}/b?to=${encodeURIComponent(`${inside}/x`)}`)}`;
    const reader = new WebReader(await manifest("led.jsonl", [...rows, { url: twice, name: "twice" }]), {
      reach,
    });
    for await (const { entries } of reader.list(null, new AbortController().signal))
      for (const entry of entries) {
        const error = await reader.open(entry).then(
          () => null,
          (refused) => refused,
        );
        assert.match(
          error?.message ?? "",
          /it leads to .*, an address of this machine or of a private network/,
          entry.key,
        );
        assert.equal(error.code, "copy.redirect");
      }
    assert.deepEqual(asked, []);
    // What the manifest itself names may lie anywhere, and may lead to its own kind and to what is farther away.
    const named = async (url: string) => {
      const opened = await reader.open({ key: "k", from: url, size: null, modified: null, etag: null });
      let text = "";
      for await (const piece of opened.body()) text += Buffer.from(piece).toString();
      return text;
    };
    assert.equal(await named(`${inside}/x`), "secret");
    const local = await serve(
      (_, response) => void response.writeHead(307, { location: `${inside}/y` }).end(),
    );
    assert.equal(await named(local), "secret");
    assert.equal(await named(`${outside}/a?to=${encodeURIComponent(`${outside}/c`)}`), "public");
    const away = await serve(
      (_, response) => void response.writeHead(301, { location: `${outside}/d` }).end(),
    );
    assert.equal(await named(away), "public");
    await reader.close();
  });
});

describe("a server of the web that has no measure", () => {
  it("costs no more than what was announced, and one object", async () => {
    let sent = 0;
    const piece = Buffer.alloc(64 * 1024);
    const at = await serve((request, response) => {
      if (request.url === "/packed") {
        response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(50_000_000)));
        return;
      }
      if (request.url === "/good") {
        response.end("good");
        return;
      }
      const more = (): void => {
        for (; !response.destroyed && response.write(piece); ) sent += piece.length;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    const list = await manifest("endless.jsonl", [
      { url: `${at}/endless`, name: "endless", size: 5 },
      { url: `${at}/endless`, name: "large", size: 20_000_000 },
      { url: `${at}/packed`, name: "packed" },
      { url: `${at}/good`, name: "good" },
    ]);
    const job = defineJob({
      name: "endless",
      ...copy({ from: `manifest:${list}`, to: join(folder, "endless") }),
    });
    const summary = await run(job, { store }).summary();
    const why: string[] = Object.values(await reasons(summary.run));
    assert.deepEqual([summary.written, summary.quarantined], [1, 3], why.join());
    assert.equal(
      why.filter((reason) => /more bytes came than the (5|20000000) that were announced/.test(reason)).length,
      1,
      why.join(),
    );
    assert.ok(why.some((reason) => /it comes compressed as gzip, which was not asked for/.test(reason)));
    assert.deepEqual(await readdir(join(folder, "endless")), ["good"]);
    // Six tries of each, with what lies in the buffers of the connections.
    assert.ok(sent < 6 * (20_000_000 + 40_000_000), `${sent} bytes were taken`);
  });

  it("is given up when it sends too slowly, or nothing, or no head", async () => {
    const at = await serve((request, response) => {
      if (request.url === "/drip") {
        const timer = setInterval(() => response.write("."), 5);
        response.once("close", () => clearInterval(timer));
      } else if (request.url === "/silent") response.write("x");
      else {
        const timer = setInterval(() => response.writeProcessing(), 5);
        response.once("close", () => clearInterval(timer));
      }
    });
    const read = async (path: string, budget: Partial<typeof DEFAULT_BUDGET>) => {
      const reader = new WebReader(join(folder, "none.jsonl"), { budget: { ...DEFAULT_BUDGET, ...budget } });
      const opened = await reader.open({ key: "k", from: at + path, size: null, modified: null, etag: null });
      for await (const _ of opened.body());
    };
    await assert.rejects(read("/drip", { graceMs: 50 }), {
      code: "http.timeout",
      message: /which is too slow/,
    });
    await assert.rejects(read("/silent", { silenceMs: 50 }), { code: "http.timeout", message: /silent for/ });
    await assert.rejects(read("/headless", { headMs: 50 }), {
      code: "http.timeout",
      message: /not answered for/,
    });
  });

  it("and a manifest with a line that never ends leaves one bad row", async () => {
    await writeFile(
      join(folder, "long.jsonl"),
      `{"url":"http://h/a"}\n${"x".repeat(3_000_000)}\n{"url":"http://h/b"}`,
    );
    const entries = [];
    for await (const page of new WebReader(join(folder, "long.jsonl")).list(
      null,
      new AbortController().signal,
    ))
      entries.push(...page.entries);
    assert.deepEqual(
      entries.map(({ key, problem }) => problem ?? key),
      ["a", "the line has more than 1048576 bytes", "b"],
    );
  });
});

describe("the query of a URL", () => {
  it("is shown and kept nowhere, and found again in the manifest for a replay", async () => {
    const secret = "Signature=s3cr3t-4417";
    let isThere = false;
    const at = await serve((request, response) => {
      if (request.url?.startsWith("/late") && !isThere) response.writeHead(404).end();
      else if (request.url?.startsWith("/led"))
        response.writeHead(302, { location: `/gone?${secret}` }).end();
      else if (request.url?.startsWith("/gone")) response.writeHead(410).end();
      else response.end(request.url?.includes(secret) ? "signed" : "unsigned");
    });
    const rows = [
      { url: `${at}/a?${secret}`, name: "a" },
      { url: `${at}/late?${secret}`, name: "late" },
      { url: `${at}/again?${secret}`, name: "again" },
      { url: `${at}/led?${secret}`, name: "led" },
      { url: `ftp://h/x?${secret}`, name: "x" },
      { url: `${at}/same?${secret}`, name: "a" },
    ];
    const list = await manifest("signed.jsonl", rows);
    const job = () =>
      defineJob({
        name: "signed",
        ...copy({ from: `manifest:${list}`, to: join(folder, "signed") }),
        // So that names are kept beside the run.
        transform: (entry) => ({
          ...(entry as { key: string; size: null; modified: null; etag: null }),
          key: entry.key.replace("again", "a"),
        }),
      });
    const summary = await run(job(), { store }).summary();
    assert.equal(summary.written, 1);
    const shown: string[] = [];
    for await (const { at, reason, raw } of openItems(store, summary.run))
      shown.push(at, reason, Buffer.from(raw).toString());
    assert.equal(shown.length, 15);
    assert.ok(shown.some((text) => text === `${at}/late?…`));
    assert.ok(!JSON.stringify([shown, summary]).includes("s3cr3t"), shown.join("\n"));
    isThere = true;
    // Fresh signatures are as good.
    await manifest(
      "signed.jsonl",
      rows.map((row) => ({ ...row, url: `${row.url}&Expires=9` })),
    );
    const replayed = await run(replayJob(store, await findRun(store, summary.run), job() as never), {
      store,
    }).summary();
    // A replay does not know the names that the run gave.
    assert.equal(replayed.written, 2, JSON.stringify(await reasons(replayed.run)));
    assert.equal(await readFile(join(folder, "signed", "late"), "utf8"), "signed");
    for (const name of await readdir(join(folder, "state"), { recursive: true })) {
      const path = join(folder, "state", name);
      if (!(await stat(path)).isFile()) continue;
      assert.ok(!(await readFile(path)).includes("s3cr3t"), path);
    }
  });
});
