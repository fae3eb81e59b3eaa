import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { toJson } from "../../src/store/internal.ts";
import { fc, runs } from "../random.ts";

class Cart {
  readonly #total = 5;
  get total() {
    return this.#total;
  }
}
class Point {
  readonly x = 1;
  readonly y = 2;
}
class Cache extends Map {
  readonly size_ = 3;
}
class Failed extends Error {
  readonly code = 7;
}
class Hides {
  toJSON() {
    return { inside: [new Map()] };
  }
}

/** What JSON would make something else of without a word, and what the refusal calls it. */
const LOST: readonly (readonly [unknown, string])[] = [
  [new Map([[1, 2]]), "a Map"],
  [new Set([1]), "a Set"],
  [new WeakMap(), "a WeakMap"],
  [/x/g, "a RegExp"],
  [new Error("x"), "an Error"],
  [new Failed("x"), "a Failed"],
  [new DOMException("x"), "a DOMException"],
  [new Cart(), "a Cart without a property that can be seen"],
  [new Cache(), "a Cache"],
  [Object.create({ inherited: 1 }), "an Object without a property that can be seen"],
  [new Uint8Array(2), "a Uint8Array"],
  [new Float64Array(2), "a Float64Array"],
  [new DataView(new ArrayBuffer(2)), "a DataView"],
  [new ArrayBuffer(2), "an ArrayBuffer"],
  [new SharedArrayBuffer(2), "a SharedArrayBuffer"],
  [Promise.resolve(1), "a Promise"],
  [[1].values(), "an Iterator"],
  [new WeakRef({}), "a WeakRef"],
  [new Intl.NumberFormat(), "a NumberFormat"],
  [Math, "a Math"],
  [new URLSearchParams("a=1"), "a URLSearchParams"],
  [new Headers({ a: "1" }), "a Headers"],
  [new Blob(["x"]), "a Blob"],
  [new ReadableStream(), "a ReadableStream"],
  [new AbortController().signal, "an AbortSignal"],
  [new TextEncoder(), "a TextEncoder"],
  [new Proxy(new Map(), {}), "a Map"],
  [runInNewContext("new Map()"), "a Map"],
  [runInNewContext("new RangeError('x')"), "a RangeError"],
  [new Date(Number.NaN), "an invalid Date"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [Number.NEGATIVE_INFINITY, "-Infinity"],
  [Object(Number.NaN), "an object of NaN"],
  [Object(Symbol("x")), "a Symbol"],
  [1n, "a bigint"],
  [Object(1n), "a BigInt"],
  [Symbol("x"), "a symbol"],
  [() => 1, "a function"],
  [Cart, "a function"],
];

/** What has a form of its own, or data of its own. */
const KEPT: readonly (readonly [unknown, unknown])[] = [
  [new Date(0), "1970-01-01T00:00:00.000Z"],
  [new URL("http://host/a"), "http://host/a"],
  [Buffer.from("x"), { type: "Buffer", data: [120] }],
  [new Point(), { x: 1, y: 2 }],
  [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  [runInNewContext("({ a: [1, {}] })"), { a: [1, {}] }],
  [new Proxy({ a: 1 }, {}), { a: 1 }],
  [new Proxy([1], {}), [1]],
  [new (class List extends Array {})(), []],
  [Object("text"), "text"],
  [Object(false), false],
  [Object(3), 3],
  [
    JSON.parse('{"__proto__":{"toJSON":1},"constructor":null}'),
    JSON.parse('{"__proto__":{"toJSON":1},"constructor":null}'),
  ],
  [{ a: undefined, b: [undefined, 1] }, { b: [null, 1] }],
  [{}, {}],
  [[], []],
  [-0, 0],
];

/** A value of JSON, and a place in it: where that is, and how its path is written. */
const places = fc.array(
  fc.oneof(
    fc.nat({ max: 3 }),
    fc.constantFrom("a", "orders", "__proto__", "constructor", "two words", "", "é", '"'),
  ),
  { maxLength: 70 },
);

function planted(place: readonly (string | number)[], leaf: unknown): unknown {
  let value = leaf;
  for (const name of place.toReversed()) {
    if (typeof name === "number") value = Object.assign([0, "x", null, { y: 1.5 }], { [name]: value });
    else
      value = Object.fromEntries([
        ["before", [{ n: 1 }]],
        [name, value],
        ["after", "z"],
      ]);
  }
  return value;
}

function pathOf(place: readonly (string | number)[]): string {
  const path = place
    .map((name) => {
      if (typeof name === "number") return `[${name}]`;
      return /^[\p{L}_]+$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
    })
    .join("")
    .replace(/^\./, "");
  if (path === "") return "it";
  return path.length > 100 ? `…${path.slice(-100)}` : path;
}

const why = (value: unknown): string => {
  try {
    return `nothing: it was ${toJson(value)}`;
  } catch (error) {
    return error instanceof TypeError ? error.message : `another error: ${error}`;
  }
};

test("what JSON would lose is refused by its place, wherever it stands", () => {
  fc.assert(
    fc.property(places, fc.constantFrom(...LOST), (place, [lost, name]) => {
      assert.equal(why(planted(place, lost)), `${pathOf(place)} is ${name}`);
    }),
    { numRuns: runs(300) },
  );
  for (const [lost, name] of LOST) assert.equal(why([{ at: lost }]), `[0].at is ${name}`);
});

test("what JSON has a form for is the JSON that it has, wherever it stands", () => {
  fc.assert(
    fc.property(places, fc.constantFrom(...KEPT), (place, [kept, expected]) => {
      assert.deepEqual(JSON.parse(toJson(planted(place, kept)) ?? ""), planted(place, expected));
    }),
    { numRuns: runs(300) },
  );
  for (const [kept, expected] of KEPT) {
    assert.deepEqual(JSON.parse(toJson([{ at: kept }]) ?? ""), [{ at: expected }]);
  }
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      assert.equal(toJson(value), JSON.stringify(value));
    }),
    { numRuns: runs(200) },
  );
});

test("what a toJSON gives is looked at as well, and a value that goes round in a circle is refused", () => {
  assert.equal(why([new Hides()]), "[0].inside[0] is a Map");
  const ring: unknown[] = [];
  ring.push({ ring });
  assert.match(why(ring), /circular/);
  let deep: unknown = 1;
  for (let depth = 0; depth < 1_000; depth++) deep = { deep };
  assert.equal(toJson(deep), JSON.stringify(deep));
  assert.equal(toJson(undefined), undefined);
});

test("a function deep in the data of a class is refused by its place", () => {
  const emitter = new EventEmitter();
  emitter.on("x", () => {});
  assert.equal(why({ emitter }), "emitter._events.x is a function");
});
