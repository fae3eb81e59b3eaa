import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { copy, verify } from "../../../../src/connect/objects/index.ts";
import { StoredListing } from "../../../../src/connect/objects/list/stored-listing.ts";
import { PawlError } from "../../../../src/errors.ts";
import { misbehaviours } from "./stub/misbehaviours.ts";
import { type S3Misbehaviour, S3Stub } from "./stub/server.ts";

/** Folders enough to be listed in several key ranges, each of more than a page, with keys around their borders. */
const keys = [
  ...Array.from({ length: 2600 }, (_, n) => `in/${"abcd"[n % 4]}/${String(n).padStart(5, "0")}`),
  ...["in/A", "in/a", "in/b", "in/b-", "in/b0", "in/c", "in/d.", "in/z", "in/\uffee", "in/\u{1f600}"],
];
const others = ["at/a", "out/a"];

const SENTENCE = /^[^\n]*(s3:\/\/full|full at )[^\n]*$/;

describe("a server that lists otherwise than S3 promises", () => {
  let stub: S3Stub;
  let folder: string;
  const kept = { ...process.env };

  before(async () => {
    stub = await S3Stub.start();
    folder = await mkdtemp(join(tmpdir(), "pawl-listing-"));
    const { endpoint, accessKeyId, secretAccessKey, region } = stub.access;
    Object.assign(process.env, {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
      PAWL_STORE: join(folder, "place", "store.db"),
      PAWL_PAUSE_MS: "1",
    });
    stub.fill("full", [...keys, ...others]);
  });
  after(async () => {
    for (const key of Object.keys(process.env)) if (!(key in kept)) delete process.env[key];
    Object.assign(process.env, kept);
    await stub.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** The keys of `in/` as a copy lists them before anything is copied; the sentence with which it was refused. */
  const listed = async (name: string, signal: AbortSignal, place = name): Promise<string[] | string> => {
    const { source } = copy({ from: `s3://${name}/in`, to: join(folder, "to") });
    const options = { folder: join(folder, place), scratch: folder, memory: 0, signal };
    try {
      const { shards } = await source.shards(4, { kind: "any" }, options);
      const listing = StoredListing.read(join(options.folder, "listing.db"), 0);
      const found = shards.flatMap(({ data }) => {
        const { from, to } = data as { from: number; to: number };
        return listing.page(from, to, 1e6).map(({ entry }) => entry.key);
      });
      listing.close();
      return found;
    } catch (error) {
      assert.ok(error instanceof PawlError, String(error));
      return error.message;
    }
  };
  const calm = new AbortController().signal;
  const wanted = keys
    .map((key) => key.slice(3))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

  it("is listed on where a listing was cut off, and is refused where it leaves out something just there", async () => {
    const skips = misbehaviours["skips a thousand keys more than start-after says"] as () => S3Misbehaviour;
    for (const [place, misbehaviour, wants] of [
      ["goes on", {}, wanted],
      ["skips", skips(), null],
    ] as const) {
      const cut = new AbortController();
      let pages = 0;
      stub.misbehaviour = {
        answer: (asked, answer) => {
          // Once the first page is kept.
          if (asked.query.get("max-keys") === "1000" && asked.query.has("start-after") && ++pages === 2)
            cut.abort();
          return answer;
        },
      };
      await assert.rejects(listed("full", cut.signal, place));
      stub.misbehaviour = misbehaviour;
      const came = await listed("full", calm, place);
      stub.misbehaviour = {};
      if (wants === null) assert.match(String(came), /it leaves out/);
      else assert.deepEqual(came, wants);
    }
  });

  for (const [nth, [what, make]] of Object.entries(misbehaviours).entries()) {
    it(`and ${what} is refused in one sentence, or listed and verified whole`, async (t) => {
      stub.misbehaviour = make();
      const came = await listed("full", calm, `misbehaving ${nth}`);
      if (typeof came === "string") {
        t.diagnostic(came);
        assert.match(came, SENTENCE);
      } else assert.deepEqual(came, wanted);
      stub.misbehaviour = make();
      let same = 0;
      try {
        for await (const { result } of verify({ from: "s3://full/in", to: "s3://full/in" }))
          if (result === "same") same++;
        assert.equal(same, keys.length);
      } catch (error) {
        assert.ok(error instanceof PawlError, String(error));
        assert.match(error.message, SENTENCE);
      } finally {
        stub.misbehaviour = {};
      }
    });
  }
});
