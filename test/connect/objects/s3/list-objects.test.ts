import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { verify } from "../../../../src/connect/objects/index.ts";
import { PawlError } from "../../../../src/errors.ts";
import { inByteOrder, Workspace } from "../workspace.ts";
import { environmentOf } from "./access.ts";
import { misbehaviours } from "./stub/misbehaviours.ts";
import { type S3Misbehaviour, S3Stub } from "./stub/server.ts";

/** Folders enough to be listed in several key ranges, each of more than a page, with keys around their borders. */
const keys = [
  ...Array.from({ length: 2600 }, (_, n) => `in/${"abcd"[n % 4]}/${String(n).padStart(5, "0")}`),
  ...["in/A", "in/a", "in/b", "in/b-", "in/b0", "in/c", "in/d.", "in/z", "in/\uffee", "in/\u{1f600}"],
];
const others = ["at/a", "out/a"];

const SENTENCE = /^[^\n]*(s3:\/\/full|full at )[^\n]*$/;

const wanted = inByteOrder(keys.map((key) => key.slice(3)));

describe("a server that lists otherwise than S3 promises", () => {
  let stub: S3Stub;
  let workspace: Workspace;

  before(async () => {
    stub = await S3Stub.start();
    workspace = await Workspace.begin({ ...environmentOf(stub.access), PAWL_PAUSE_MS: "1" });
    stub.fill("full", [...keys, ...others]);
  });
  after(async () => {
    await workspace.end();
    await stub.stop();
  });

  const listed = (folder: string, signal?: AbortSignal) =>
    workspace.listedKeys("s3://full/in", folder, signal);

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
      await assert.rejects(listed(place, cut.signal));
      stub.misbehaviour = misbehaviour;
      const came = await listed(place);
      stub.misbehaviour = {};
      if (wants === null) assert.match(String(came), /it leaves out/);
      else assert.deepEqual(came, wants);
    }
  });

  for (const [nth, [what, make]] of Object.entries(misbehaviours).entries()) {
    it(`and ${what} is refused in one sentence, or listed and verified whole`, async (t) => {
      stub.misbehaviour = make();
      const came = await listed(`misbehaving ${nth}`);
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
