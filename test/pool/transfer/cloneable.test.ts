import assert from "node:assert/strict";
import crypto from "node:crypto";
import dgram from "node:dgram";
import { EventEmitter } from "node:events";
import { statSync } from "node:fs";
import { getBuiltinModule } from "node:process";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { deserialize, serialize } from "node:v8";
import { runInNewContext, Script } from "node:vm";
import { Pool } from "../../../src/pool/index.ts";
import type { Isolation } from "../../../src/pool/transfer/cloneable.ts";
import { pack } from "../../../src/pool/transfer/pack.ts";

class Cart {
  readonly #total = 5;
  get total(): number {
    return this.#total;
  }
}
class Listener extends EventTarget {
  readonly name = "kept";
}
const state: unique symbol = Symbol("state");
class Symbolic {
  readonly name = "kept";
  readonly [state] = new WeakRef({});
}
class Point {
  readonly x = 1;
}

/** Objects that are more than the properties that would be copied. */
const LESS: Readonly<Record<string, () => object>> = {
  "a compression stream": () => new CompressionStream("gzip"),
  "a decoder stream": () => new TextDecoderStream(),
  "the subtle crypto": () => crypto.subtle,
  "an observer": () => new PerformanceObserver(() => {}),
  "a hash": () => crypto.createHash("md5"),
  "an HMAC": () => crypto.createHmac("md5", "key"),
  "a cipher": () => crypto.createCipheriv("aes-128-cbc", Buffer.alloc(16), Buffer.alloc(16)),
  "a key exchange": () => crypto.createECDH("secp256k1"),
  "another key exchange": () => crypto.createDiffieHellmanGroup("modp14"),
  "a socket of datagrams": () => dgram.createSocket("udp4").unref(),
  "a script": () => new Script("1"),
  "a database": () => new DatabaseSync(":memory:"),
  "a pool": () => new Pool({ workers: 1 }),
  "private fields alone": () => new Cart(),
  "inherited properties alone": () => Object.create({ inherited: 1 }),
  "a class that extends one of Node": () => new Listener(),
  "a handle under a symbol": () => new Symbolic(),
  "an object of the engine": () => Math,
  "a promise": () => Promise.resolve(1),
};

/** What arrives as what it is, or as its data. */
const KEPT: Readonly<Record<string, () => object>> = {
  "an object of a class": () => new Point(),
  "an empty object": () => ({}),
  "an object without a prototype": () => Object.create(null),
  "objects of another realm": () => runInNewContext("({ a: {}, b: [], c: new Map([[1, new Date(0)]]) })"),
  "the facts of a file": () => statSync("."),
  "an error": () => new RangeError("x", { cause: new Point() }),
  "an emitter": () => new EventEmitter(),
  "a list of objects": () => Array.from({ length: 2_000 }, () => ({})),
};

const deep = (value: object) => ({ a: [{ b: [{ c: new Map([["d", new Set([value])]]) }] }] });
const inLong = (value: object) => Array.from({ length: 1_025 }, (_, n) => (n === 1_000 ? { value } : n));
const inPoint = (value: object) => Object.assign(new Point(), { value });
const inCause = (value: object) => new Error("of", { cause: value });
const PLACES = [(value: object) => value, deep, inLong, inPoint, inCause];

const arrived = (value: unknown, to: Isolation): unknown =>
  to === "thread" ? structuredClone(value) : deserialize(serialize(value));

for (const to of ["thread", "process"] as const) {
  for (const [name, make] of Object.entries(LESS)) {
    test(`${name} is refused on the way to a ${to}, wherever it stands`, () => {
      for (const place of PLACES) {
        assert.throws(() => arrived(pack(place(make()), to).value, to), { name: /DataCloneError|^Error$/ });
      }
    });
  }

  test(`data crosses to a ${to}, whatever class it is of`, () => {
    for (const make of Object.values(KEPT)) for (const place of PLACES) pack(place(make()), to);
  });

  test(`nothing that Node has a class of arrives in a ${to} as an empty object`, () => {
    let made = 0;
    for (const value of ofNode()) {
      made++;
      let packed: unknown;
      try {
        packed = arrived(pack({ value }, to).value, to);
      } catch {
        continue;
      }
      const { value: copy } = packed as { value: object };
      const isEmpty = Object.getPrototypeOf(copy) === Object.prototype && Object.keys(copy).length === 0;
      assert.ok(!isEmpty, Object.prototype.toString.call(value) + value.constructor.name);
    }
    assert.ok(made > 80);
  });
}

test("bytes that were transferred are refused on the way to a process, where they would arrive as none", () => {
  const bytes = new Uint8Array([1, 2, 3]);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  assert.throws(() => pack(inPoint(bytes), "process"), { name: "DataCloneError" });
  assert.throws(() => pack(bytes.buffer, "process"), { name: "DataCloneError" });
  pack(new Uint8Array(), "process");
});

/** What calls out, or warns that it should not be made. */
const SKIPPED: ReadonlySet<string> = new Set(["ClientRequest", "Buffer", "SlowBuffer", "Hash", "Hmac"]);

/** An object of each class that can be made without being told anything. */
function* ofNode(): Generator<object> {
  const modules = [
    "async_hooks",
    "buffer",
    "crypto",
    "dns",
    "events",
    "net",
    "perf_hooks",
    "stream",
    "stream/web",
  ];
  const more = ["string_decoder", "url", "util", "v8", "zlib", "diagnostics_channel", "http"];
  const spaces = [...modules, ...more].map((name) => getBuiltinModule(name) as object);
  for (const space of [globalThis, ...spaces]) {
    for (const name of Object.getOwnPropertyNames(space)) {
      if (!/^[A-Z]/.test(name) || SKIPPED.has(name)) continue;
      const Class: unknown = Reflect.get(space, name);
      if (typeof Class !== "function") continue;
      const given = /Strategy$/.test(name) ? [{ highWaterMark: 1 }] : [];
      let value: unknown;
      try {
        value = Reflect.construct(Class, given);
      } catch {
        continue;
      }
      const isLiteral = Object.getPrototypeOf(value) === Object.prototype;
      if (typeof value === "object" && value !== null && !isLiteral) yield value;
    }
  }
}
