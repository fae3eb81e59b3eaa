import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { scopeOf } from "../../../../src/connect/objects/web/address-scope.ts";
import { WebReader } from "../../../../src/connect/objects/web/reader.ts";
import { WebServer } from "../web-server.ts";

describe("where a server of the web redirects to", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-led-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("is followed, but to no address that is nearer to this machine than the server", async () => {
    const asked: string[] = [];
    await using insideServer = await WebServer.start((request, response) => {
      asked.push(String(request.headers.host));
      response.end("secret");
    });
    const inside = insideServer.url;
    const { port } = new URL(inside);
    // On a machine of its own, as far as the reader is told.
    await using outsideServer = await WebServer.start((request, response) => {
      const to = new URL(request.url ?? "", "http://x").searchParams.get("to");
      if (to === null) response.end("public");
      else response.writeHead(302, { location: to }).end();
    }, "127.0.0.2");
    const outside = outsideServer.url;
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
    const list = join(folder, "led.jsonl");
    const lines = [...rows, { url: twice, name: "twice" }].map((row) => JSON.stringify(row));
    await writeFile(list, lines.join("\n"));
    const reader = new WebReader(list, { reach });
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
    await using local = await WebServer.start(
      (_, response) => void response.writeHead(307, { location: `${inside}/y` }).end(),
    );
    assert.equal(await named(local.url), "secret");
    assert.equal(await named(`${outside}/a?to=${encodeURIComponent(`${outside}/c`)}`), "public");
    await using away = await WebServer.start(
      (_, response) => void response.writeHead(301, { location: `${outside}/d` }).end(),
    );
    assert.equal(await named(away.url), "public");
    await reader.close();
  });
});
