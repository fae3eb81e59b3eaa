import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { defineJob, run } from "../../../../src/batch/index.ts";
import { findRun, openItems, replayJob } from "../../../../src/batch/internal.ts";
import { DEFAULT_BUDGET } from "../../../../src/connect/objects/http/response-budget.ts";
import { copy } from "../../../../src/connect/objects/index.ts";
import { WebReader } from "../../../../src/connect/objects/web/reader.ts";
import type { Store } from "../../../../src/store/index.ts";
import { WebServer } from "../web-server.ts";
import { Workspace } from "../workspace.ts";

let workspace: Workspace;
let folder: string;
let store: Store;

before(async () => {
  workspace = await Workspace.begin({ PAWL_PAUSE_MS: "1" });
  ({ folder, store } = workspace);
});
after(() => workspace.end());

const manifest = async (name: string, rows: readonly object[]): Promise<string> => {
  await writeFile(join(folder, name), rows.map((row) => JSON.stringify(row)).join("\n"));
  return join(folder, name);
};

describe("a server of the web without limits", () => {
  it("costs no more than what was announced, and one object", async () => {
    let sent = 0;
    const piece = Buffer.alloc(64 * 1024);
    await using server = await WebServer.start((request, response) => {
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
    const at = server.url;
    const list = await manifest("endless.jsonl", [
      { url: `${at}/endless`, name: "endless", size: 5 },
      { url: `${at}/endless`, name: "large", size: 20_000_000 },
      { url: `${at}/packed`, name: "packed" },
      { url: `${at}/good`, name: "good" },
    ]);
    const summary = await workspace.ran(`manifest:${list}`, join(folder, "endless"));
    const why = await workspace.reasons(summary);
    assert.deepEqual([summary.written, summary.quarantined], [1, 3], why.join());
    assert.equal(
      why.filter((reason) => /more bytes came than the (5|20000000) that were announced/.test(reason)).length,
      2,
      why.join(),
    );
    assert.ok(why.some((reason) => /it comes compressed as gzip, which was not asked for/.test(reason)));
    assert.deepEqual(await readdir(join(folder, "endless")), ["good"]);
    // Six tries of each, with what lies in the buffers of the connections.
    assert.ok(sent < 6 * (20_000_000 + 40_000_000), `${sent} bytes were taken`);
  });

  it("is given up when it sends too slowly, or nothing, or no head", async () => {
    await using server = await WebServer.start((request, response) => {
      if (request.url === "/drip") {
        const timer = setInterval(() => response.write("."), 5);
        response.once("close", () => clearInterval(timer));
      } else if (request.url === "/silent") response.write("x");
      else {
        const timer = setInterval(() => response.writeProcessing(), 5);
        response.once("close", () => clearInterval(timer));
      }
    });
    const at = server.url;
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
    await using server = await WebServer.start((request, response) => {
      if (request.url?.startsWith("/late") && !isThere) response.writeHead(404).end();
      else if (request.url?.startsWith("/led"))
        response.writeHead(302, { location: `/gone?${secret}` }).end();
      else if (request.url?.startsWith("/gone")) response.writeHead(410).end();
      else response.end(request.url?.includes(secret) ? "signed" : "unsigned");
    });
    const at = server.url;
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
    assert.equal(replayed.written, 2, (await workspace.reasons(replayed)).join());
    assert.equal(await readFile(join(folder, "signed", "late"), "utf8"), "signed");
    for (const name of await readdir(folder, { recursive: true })) {
      const path = join(folder, name);
      if (path === list) continue;
      if (!(await stat(path)).isFile()) continue;
      assert.ok(!(await readFile(path)).includes("s3cr3t"), path);
    }
  });
});
