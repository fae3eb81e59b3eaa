import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { unsignedUrl } from "../../../../src/connect/objects/web/redacted-url.ts";
import { interruptedCopy } from "../interrupted.ts";
import { WebServer } from "../web-server.ts";
import { Workspace } from "../workspace.ts";

const names = Array.from({ length: 8 }, (_, at) => `${at}`);

describe("a manifest whose URLs were signed again", () => {
  let workspace: Workspace;

  before(async () => {
    workspace = await Workspace.begin();
  });
  after(() => workspace.end());

  it("is the same, and the fresh signatures are taken where the others open nothing", async () => {
    const { store } = workspace;
    const { root, to } = await workspace.ends();
    let good = "one";
    const asked: string[] = [];
    await using server = await WebServer.start(({ url = "" }, response) => {
      const { searchParams, pathname } = new URL(url, "http://h");
      asked.push(url);
      response.statusCode = searchParams.get("X-Amz-Signature") === good ? 200 : 403;
      response.end(response.statusCode === 200 ? pathname.slice(1) : "");
    });
    const list = join(root, "list.jsonl");
    const sign = async (signature: string, version = "1") => {
      const rows = names.map((name) => ({
        url: `${server.url}/${name}?versionId=${version}&X-Amz-Date=${signature}&X-Amz-Signature=${signature}`,
        name,
      }));
      await writeFile(list, rows.map((row) => JSON.stringify(row)).join("\n"));
    };
    const rotated = () => {
      good = "two";
      return good;
    };
    await sign("one");
    const again = await interruptedCopy(
      { from: `manifest:${list}`, to },
      { store, meanwhile: () => sign(rotated()) },
    );
    assert.deepEqual(
      [again.state, again.written, again.quarantined],
      ["succeeded", names.length, 0],
      again.note,
    );
    for (const name of names) assert.equal(await readFile(join(to, name), "utf8"), name);
    const stale = asked.filter((url) => url.endsWith("=one")).length;
    assert.ok(stale < names.length, "what has expired is asked for only until that is known");
    const anotherVersion = interruptedCopy(
      { from: `manifest:${list}`, to: `${to}-2` },
      { store, meanwhile: () => sign("two", "2") },
    );
    await assert.rejects(anotherVersion, { code: "run.source-changed" });
  });

  it("keeps whatever else its URLs say", () => {
    for (const [signed, plain] of [
      ["https://h/a?x-id=1&X-Amz-Signature=s&X-Amz-Credential=c&x=%2F", "https://h/a?x-id=1&x=%2F"],
      ["https://h/a?Expires=1&Signature=s&Key-Pair-Id=k", "https://h/a"],
      ["https://h/a?sv=1&sr=b&se=2&sig=s&snapshot=9", "https://h/a?snapshot=9"],
      ["https://h/a?id=5&expires=1", "https://h/a?id=5&expires=1"],
      ["https://h/a?token=t", "https://h/a?token=t"],
      ["https://h/a?sp=1", "https://h/a?sp=1"],
    ] as const)
      assert.equal(unsignedUrl(signed), plain);
  });
});
