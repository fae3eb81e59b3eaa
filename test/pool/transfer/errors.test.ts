import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Isolation, Pool } from "../../../src/pool/index.ts";
import { retryAfterOfError } from "../../../src/retry-after.ts";
import { type Thrown, throws } from "../fixtures/thrown.ts";

type Fields = Error & { readonly [key: string]: unknown };

for (const where of ["thread", "process", "inline"] as const) {
  suite(`errors of functions (${where})`, () => {
    const options = where === "inline" ? {} : { chunkSize: 2 };
    const isolate: Isolation = where === "process" ? "process" : "thread";

    async function reasons(...what: Thrown[]): Promise<unknown[]> {
      await using pool = new Pool({ workers: 1, isolate });
      const settled = await pool.map(throws, ["nothing", ...what], { ...options, errors: "collect" });
      assert.deepEqual(settled.shift(), { status: "fulfilled", value: "fine" });
      return settled.map((one) => {
        assert.equal(one.status, "rejected");
        return (one as PromiseRejectedResult).reason;
      });
    }

    test("keep what they are of the kinds that JavaScript has", async () => {
      const [type, syntax, aggregate, dom, ours] = (await reasons(
        "type",
        "syntax",
        "aggregate",
        "dom",
        "item",
      )) as Fields[];
      assert.ok(type instanceof TypeError && syntax instanceof SyntaxError);
      assert.ok(aggregate instanceof AggregateError);
      assert.deepEqual(
        aggregate.errors.map((each: Error) => [each.constructor, each.message]),
        [
          [RangeError, "one"],
          [Error, "two"],
        ],
      );
      assert.ok(dom instanceof DOMException);
      assert.deepEqual([dom?.name, dom?.message, (dom as DOMException).code], ["AbortError", "enough", 20]);
      assert.deepEqual(
        [ours?.name, ours?.code, ours?.constructor.name],
        ["ItemError", "bad.row", "ItemError"],
      );
    });

    test("keep message, causes, properties, stack and index", async () => {
      const [, own, realm] = (await reasons("type", "own", "realm")) as Fields[];
      assert.deepEqual(
        [own?.name, own?.message, own?.code, own?.index],
        ["StockError", "none left", "E_STOCK", 2],
      );
      assert.deepEqual(own?.errors, [{ field: "x" }]);
      assert.deepEqual(own?.detail, { since: new Date(0), tags: new Set(["a"]) });
      assert.match(own?.stack ?? "", /thrown\.ts/);
      const cause = own?.cause as Fields;
      assert.ok(cause instanceof RangeError && cause.message === "empty");
      assert.deepEqual(cause.cause, { shelf: 7 });
      assert.deepEqual([realm?.name, realm?.message], ["TypeError", "of another realm"]);
    });

    test("may be called like what every object inherits, and have properties of such names", async () => {
      const [all, one] = (await reasons("inherited", "toString")) as (Fields & AggregateError)[];
      const names = Object.getOwnPropertyNames(Object.prototype);
      assert.deepEqual(
        all?.errors.map((each: Fields) => [
          each.name,
          each.message,
          Object.getOwnPropertyDescriptor(each, each.name)?.value,
        ]),
        names.map((name) => [name, `like ${name}`, "its own"]),
      );
      assert.deepEqual([one?.name, one?.message, one?.toString], ["toString", "like toString", "its own"]);
    });

    test("keep the time that a server asked for, wherever its response is", async () => {
      const asked = await reasons("busyCause", "busyResponse", "busyHeaders", "busyDeep");
      assert.deepEqual(
        asked.map((each) => retryAfterOfError(each)),
        [6_000, 6_000, 6_000, 6_000],
      );
      const [date, getter, type] = (await reasons("busyDate", "busyGetter", "type")) as Fields[];
      assert.deepEqual(date?.retryAfter, new Date(8.64e15));
      assert.deepEqual([getter?.message, getter?.retryAfter], ["x", undefined]);
      assert.ok(type !== undefined && !("retryAfter" in type));
    });

    test("keep an index of their own", async () => {
      const [own, inherited] = (await reasons("place", "placed")) as Fields[];
      assert.equal(own?.index, "line 7");
      // Of a class that a worker's error does not bring along.
      assert.equal(inherited?.index, where === "inline" ? "line 7" : 2);
    });

    test("may be no errors at all", async () => {
      assert.deepEqual(await reasons("text", "undefined", "null", "number", "plain"), [
        "just text",
        undefined,
        null,
        42,
        { code: 1 },
      ]);
    });

    test("may be of the nastier kind", async () => {
      const all = await reasons(
        "frozen",
        "getter",
        "proxy",
        "bare",
        "ring",
        "uncloneable",
        "symbol",
        "oddNames",
      );
      assert.equal(all.length, 8);
      const [frozen, , , , ring, uncloneable] = all as Fields[];
      assert.deepEqual([frozen?.message, ring?.message], ["cold", "round"]);
      assert.equal(uncloneable?.message, "holds functions");
      if (where !== "inline") {
        assert.equal((uncloneable?.cause as Fields | undefined)?.message, "so does the cause");
        assert.match(String(uncloneable?.callback), /=>/);
      }
    });
  });
}
