import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { verify } from "../../../../src/connect/objects/index.ts";
import { inByteOrder, Workspace } from "../workspace.ts";
import { environmentOf } from "./access.ts";
import { blobMisbehaviours } from "./stub/misbehaviours.ts";
import { BlobStub } from "./stub/server.ts";

const keys = [
  ...Array.from({ length: 5200 }, (_, n) => `in/${"abcd"[n % 4]}/${String(n).padStart(5, "0")}`),
  ...["in/A", "in/B", "in/a", "in/a-b", "in/b.", "in/z", "in/\uffee", "in/\u{1f600}"],
];
const wanted = inByteOrder(keys.map((key) => key.slice(3)));

describe("a service that lists otherwise than Azure promises", () => {
  let stub: BlobStub;
  let workspace: Workspace;
  let full: string;

  before(async () => {
    stub = await BlobStub.start();
    workspace = await Workspace.begin({ ...environmentOf(stub.access), PAWL_PAUSE_MS: "1" });
    full = `az://${stub.access.account}/full/in`;
    const there = await stub.container("full");
    await there.put("at/a", "a");
    const { blobs } = stub.held("full");
    const blob = blobs.get("at/a");
    assert.ok(blob);
    for (const key of keys) blobs.set(key, blob);
  });
  after(async () => {
    await workspace.end();
    await stub.stop();
  });

  const listed = (folder: string, signal?: AbortSignal) => workspace.listedKeys(full, folder, signal);

  it("is listed on where a listing was cut off, also in the order of UTF-16", async () => {
    const utf16 = { list: { order: (names: readonly string[]) => names.toSorted() } };
    for (const [place, misbehaviour] of [
      ["cut", {}],
      ["cut-utf16", utf16],
    ] as const) {
      const cut = new AbortController();
      stub.misbehaviour = {
        ...misbehaviour,
        answer: (asked, answer) => {
          if (asked.query.has("marker")) cut.abort();
          return answer;
        },
      };
      await assert.rejects(async () => {
        await listed(place, cut.signal);
        cut.signal.throwIfAborted();
      });
      stub.misbehaviour = misbehaviour;
      const came = await listed(place);
      assert.deepEqual(typeof came === "string" ? came : came.toSorted(), wanted.toSorted());
    }
    // Two locations are compared in one pass, for which one order must be known.
    await assert.rejects(async () => {
      for await (const { result } of verify({ from: full, to: full })) assert.equal(result, "same");
    }, /in another order than that of their bytes/);
  });

  for (const [nth, [what, make]] of Object.entries(blobMisbehaviours).entries()) {
    it(`and ${what} is refused in one sentence, or listed whole`, async () => {
      stub.misbehaviour = make();
      const came = await listed(`misbehaving ${nth}`);
      if (typeof came === "string") assert.match(came, /^[^\n]*az:\/\/pawltest\/full[^\n]*$/);
      else assert.deepEqual(came.toSorted(), wanted.toSorted());
    });
  }
});
