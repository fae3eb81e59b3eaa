import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { KeyObject } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { runInThisContext } from "node:vm";
import { brotliCompressSync } from "node:zlib";
import { buildSync, transformSync } from "esbuild";
import { type AnyFunction, callable } from "../../../src/pool/callable/callable.ts";
import { compileInline } from "../../../src/pool/callable/inline/compile.ts";
import { inlineSource } from "../../../src/pool/callable/inline/source.ts";
import { referenceTo } from "../../../src/pool/callable/reference.ts";
import { fc, runs as times } from "../../random.ts";
import { childProcess, thread } from "../fixtures/ask.ts";
import { randomFunction } from "../fixtures/random-function.ts";

const to = (fn: AnyFunction) => referenceTo(fn, "pool.map");
/** A function with this very text, as a program in JavaScript would have it. */
const written = (text: string) => runInThisContext(`(${text}\n)`) as AnyFunction;
const EXPORT = "export the function with callable(import.meta, …)";

function refused(fn: unknown, code: string, message: string): void {
  for (let time = 0; time < 2; time++) {
    assert.throws(() => inlineSource(fn as AnyFunction, "pool.map"), { name: "PawlError", code, message });
  }
}

function captured(fn: AnyFunction): string[] {
  try {
    inlineSource(fn, "pool.map");
    return [];
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    assert.equal(code, "pool.captured");
    const [list = ""] = message.split(", which ");
    return [...list.matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? "");
  }
}

function runs(fn: AnyFunction, ...args: unknown[]): unknown {
  return (compileInline(inlineSource(fn, "pool.map")) as (...args: unknown[]) => unknown)(...args);
}

for (const [kind, start] of [
  ["thread", thread],
  ["process", childProcess],
] as const) {
  test(`a ${kind} runs an inline function`, async () => {
    await using worker = start();
    assert.equal(
      await worker.ask(
        to((x: number) => x * x),
        7,
      ),
      49,
    );
    assert.equal(
      await worker.ask(
        to(async (x: number) => Math.hypot(x, 4)),
        3,
      ),
      5,
    );
    assert.equal(
      await worker.ask(
        to((text: string) => Buffer.from(text).toString("hex")),
        "pawl",
      ),
      "7061776c",
    );
  });

  test(`in a ${kind} an inline function can import modules of Node, packages and URLs, without a warning`, async () => {
    await using worker = start();
    const fn = async (path: string) => {
      const { basename } = await import("node:path");
      const { parse } = await import("acorn");
      const name = "data:text/javascript,export default 1";
      const { default: one } = await import(name);
      const warned: string[] = [];
      process.on("warning", (warning) => warned.push(warning.message));
      await import("node:url");
      await new Promise((resolve) => setImmediate(resolve));
      return [basename(path), parse("1", { ecmaVersion: 2024 }).type, one, warned];
    };
    assert.deepEqual(await worker.ask(to(fn), "/a/b"), ["b", "Program", 1, []]);
  });

  test(`what may be used by name is what every ${kind} has`, async () => {
    await using worker = start();
    const there = (await worker.ask(to(() => Object.getOwnPropertyNames(globalThis)))) as string[];
    const names = new Set([...there, ...Object.getOwnPropertyNames(globalThis)]);
    const usable = [...names].filter((name) => captured(written(`() => ${name}`)).length === 0);
    assert.deepEqual(usable.sort(), there.sort());
  });
}

test("a captured variable is refused by name before anything runs", () => {
  const rate = 3;
  refused(
    (x: number) => x * rate,
    "pool.captured",
    `The function passed to pool.map uses "rate", which is defined outside of it and does not reach a worker: pass it with the items or with init, or ${EXPORT}.`,
  );
});

test("all captured variables are named, each once, in the order of the text", () => {
  const [a, b, c] = [1, 2, 3];
  refused(
    (x: number) => x + (() => c)() + a + b + c,
    "pool.captured",
    `The function passed to pool.map uses "c", "a" and "b", which are defined outside of it and do not reach a worker: pass them with the items or with init, or ${EXPORT}.`,
  );
});

test("the sentence speaks of what the function was passed to", () => {
  const rate = 3;
  assert.throws(() => inlineSource(() => rate, "sort by"), {
    message: /^The function passed to sort by uses/,
  });
});

test("what a program adds to globalThis does not reach a worker", () => {
  const holder = globalThis as { extraGlobal?: number };
  holder.extraGlobal = 1;
  try {
    assert.deepEqual(captured(written("() => extraGlobal")), ["extraGlobal"]);
  } finally {
    delete holder.extraGlobal;
  }
});

for (const text of [
  "(a, b = a, { c, d: [e = b, ...f] } = {}, ...g) => [a, b, c, e, f, g]",
  "(x) => { try { throw x } catch ({ message: m }) { return m } }",
  "function walk(n) { return n < 1 ? 0 : walk(n - 1) }",
  "(x) => { outer: for (const y of x) { for (;;) continue outer } return later(); function later() { return hoisted } var hoisted }",
  "(x) => { class A extends Array { static #n = 1; #m = A.#n; static { this.k = A.#n } get m() { return this.#m + super.length + new.target } } return new A(x) }",
  "(x) => function () { return [this, arguments, new.target] }",
  "function () { return arguments.length }",
  "(x) => ({ rate: 1, get rates() { return this.rate }, [x]: x.rate, 'a-b': x?.rate }).rate",
  '(x) => typeof window === "undefined" || typeof rate != "undefined" || "undefined" == typeof self',
  '(x) => typeof window > "u" || typeof self < "u"',
  "async (x) => { for await (const y of x) await y; await using z = x; using w = z; return w }",
  "(x) => x.arguments + x.eval(1) + { arguments: 1, this: 2, eval: 3 }.this",
  "(x) => [...(function* () { yield* x })()]",
  "(x) => new RegExp(`x`, 'v') ?? /(?<a>x)|(?<a>y)/u ?? undefined ?? NaN ?? globalThis ?? console",
  "x => { return x /* rate */ }",
]) {
  test(`nothing is captured by ${text}`, () => {
    assert.deepEqual(captured(written(text)), []);
    assert.equal(inlineSource(written(text), "pool.map"), text);
  });
}

for (const [text, names] of [
  ["(x = rate) => { var rate = 1; return x + rate }", ["rate"]],
  ["(x) => { { let rate = 1; rate } return rate }", ["rate"]],
  ["(x) => { try { x() } catch (rate) {} return rate }", ["rate"]],
  ["(x) => { for (let rate of x); return rate }", ["rate"]],
  ["(x) => { (function rate() {}); return rate }", ["rate"]],
  ["(x) => { { function rate() {} } return rate }", ["rate"]],
  ["(x) => { rate: for (;;) break rate; return rate }", ["rate"]],
  ["(x) => ({ rate })", ["rate"]],
  ["({ [rate]: x }) => x", ["rate"]],
  ["(x) => { rate = x }", ["rate"]],
  ["(x) => { ({ rate } = x); [total] = x; count++ }", ["rate", "total", "count"]],
  ["(x) => typeof rate", ["rate"]],
  ['(x) => typeof rate === "number"', ["rate"]],
  ['(x) => typeof rate === "undefined" ? 0 : rate', ["rate"]],
  ["(x) => class extends Base { [rate] = total; static { count } }", ["Base", "rate", "total", "count"]],
  ["(x) => tag`a` + rate", ["tag", "rate"]],
  ["(x) => require('fs')", ["require"]],
  ["(x) => __filename + __dirname + module + exports", ["__filename", "__dirname", "module", "exports"]],
] as const) {
  test(`${names.join(", ")} ${names.length === 1 ? "is" : "are"} captured by ${text}`, () => {
    assert.deepEqual(captured(written(text)), names);
  });
}

test("the names a random function uses from outside are exactly those that are reported", () => {
  fc.assert(
    fc.property(randomFunction, ({ text, free }) => {
      const fn = written(text);
      assert.deepEqual(captured(fn).sort(), [...free].sort());
      // And the engine misses no other.
      try {
        (fn as () => unknown)();
      } catch (error) {
        const [, missing] = /^(\w+) is not defined$/.exec((error as Error)?.message) ?? [];
        if (missing !== undefined) assert.ok(free.has(missing), missing);
      }
    }),
    { numRuns: times(800) },
  );
});

test("a function that captures nothing does in a worker what it does here", () => {
  const outcome = (fn: () => unknown) => {
    try {
      return typeof fn();
    } catch (error) {
      return String(error);
    }
  };
  fc.assert(
    fc.property(randomFunction, ({ text, free }) => {
      fc.pre(free.size === 0);
      const strict = written(`() => { "use strict"; return (${text})() }`) as () => unknown;
      assert.equal(
        outcome(() => runs(written(text))),
        outcome(strict),
      );
    }),
    { numRuns: 500 },
  );
});

const things = {
  plus(x: number) {
    return x + 1;
  },
  async later(x: number) {
    return x + 2;
  },
  async: (x: number) => x + 3,
  get() {
    return 4;
  },
  [`computed${1}`](...args: number[]) {
    return args;
  },
  get five() {
    return 5;
  },
  set six(_: number) {},
  self() {
    return this;
  },
  above() {
    return super.toString();
  },
  *many() {
    yield 1;
  },
};

class Tally {
  #n = 1;
  static plus(x: number) {
    return x + 1;
  }
  count(other: Tally) {
    return other.#n;
  }
  arrow = () => this.#n;
}

test("a method that needs no object works on its own", async () => {
  assert.equal(runs(things.plus, 1), 2);
  assert.equal(await runs(things.later, 1), 3);
  assert.equal(runs(things.async, 1), 4);
  assert.equal(runs(things.get), 4);
  assert.deepEqual(runs(things.computed1 as AnyFunction, 7, 1), [7, 1]);
  assert.equal(runs(Tally.plus, 1), 2);
  const { get } = Object.getOwnPropertyDescriptor(things, "five") as { get: () => number };
  assert.equal(runs(get), 5);
  assert.equal(
    inlineSource(things.later, "pool.map").replaceAll(/\s+/g, " "),
    "async function (x ) { return x + 2; }",
  );
});

const tally = new Tally();
const elsewhere = (what: string, remedy: string) =>
  `The function passed to pool.map uses ${what}, which means something only where the function was written: ${remedy}, or ${EXPORT}.`;
const native = (what: string, call: string) =>
  `The function passed to pool.map is ${what}, which is built in and has no source to send: write x => ${call}.`;
const sourceless = (what: string) =>
  `The function passed to pool.map is ${what}, so that its source is not to be had: write an arrow function that makes the call, or ${EXPORT}.`;
const relative = (specifier: string) =>
  `The function passed to pool.map imports "${specifier}", but a worker does not know which file that is relative to: import a package or a file:// URL, or ${EXPORT}.`;
const noFunction = (what: string) =>
  `pool.map was given ${what} in place of the function: pass a function such as (item) => ….`;
const ofNode = (name: string, module: string, call: string) =>
  `The function passed to pool.map is ${name} of ${module}, the source of which means nothing outside of Node: write async (x) => ${call}, or ${EXPORT}.`;
const THIS = elsewhere("this", "take the object as an item");
const SUPER = elsewhere("super", "call the method in a class of the module");
const GENERATOR =
  "The function passed to pool.map is a generator, which cannot hand its values over one by one: return an array.";

for (const [what, fn, code, message] of [
  ["a function of Math", Math.sqrt, "pool.native", native("Math.sqrt", "Math.sqrt(x)")],
  ["a global function", Number.parseInt, "pool.native", native("parseInt", "parseInt(x)")],
  ["a global of Node", fetch, "pool.native", native("fetch", "fetch(x)")],
  ["a conversion", Number, "pool.native", native("Number", "Number(x)")],
  ["a class of the language", Date, "pool.native", native("Date", "new Date(x)")],
  ["a class of Node", Blob, "pool.native", native("Blob", "new Blob(x)")],
  ["a function of Buffer", Buffer.from, "pool.native", native("Buffer.from", "Buffer.from(x)")],
  [
    "a function of a module of Node",
    readFile,
    "pool.native",
    ofNode("readFile", "node:fs/promises", '(await import("node:fs/promises")).readFile(x)'),
  ],
  [
    "a native function of a module of Node",
    brotliCompressSync,
    "pool.native",
    ofNode("brotliCompressSync", "node:zlib", '(await import("node:zlib")).brotliCompressSync(x)'),
  ],
  [
    "a class of a module of Node",
    KeyObject,
    "pool.native",
    ofNode("KeyObject", "node:crypto", 'new (await import("node:crypto")).KeyObject(x)'),
  ],
  ["a native method", "".trim, "pool.native", sourceless("native or a proxy")],
  ["a bound function", things.plus.bind(null), "pool.native", sourceless("bound with bind()")],
  ["a proxy", new Proxy(() => 1, {}), "pool.native", sourceless("native or a proxy")],
  [
    "a class",
    Tally,
    "pool.class",
    "The function passed to pool.map is the class Tally, which cannot be called: write a function that makes the object, and export it with callable(import.meta, …).",
  ],
  [
    "a class without a name",
    (() => class {})(),
    "pool.class",
    "The function passed to pool.map is a class, which cannot be called: write a function that makes the object, and export it with callable(import.meta, …).",
  ],
  ["a generator", function* () {}, "pool.generator", GENERATOR],
  ["a method that generates", things.many, "pool.generator", GENERATOR],
  ["an asynchronous generator", async function* () {}, "pool.generator", GENERATOR],
  ["this in an arrow function", tally.arrow, "pool.lexical", THIS],
  ["this in a method", things.self, "pool.lexical", THIS],
  ["this in a default", written("function (x = () => this) {}"), "pool.lexical", THIS],
  ["this as a computed key of a class", written("(x) => class { [this.x]() {} }"), "pool.lexical", THIS],
  ["super in a method", things.above, "pool.lexical", SUPER],
  ["super in an arrow function", written("{ f() { return () => super.f } }.f()"), "pool.lexical", SUPER],
  [
    "new.target in an arrow function",
    written("function () { return () => new.target }()"),
    "pool.lexical",
    elsewhere("new.target", "leave it out"),
  ],
  [
    "arguments in an arrow function",
    written("function () { return () => [() => arguments] }()"),
    "pool.lexical",
    elsewhere("arguments", "write (...args) => … and use args"),
  ],
  [
    "import.meta",
    () => () => import.meta.dirname,
    "pool.lexical",
    elsewhere("import.meta", "pass what it gives with the items or with init"),
  ],
  [
    "a private name",
    tally.count,
    "pool.lexical",
    `The function passed to pool.map uses the private name #n of a class around it, which does not reach a worker: pass the value with the items, or ${EXPORT}.`,
  ],
  [
    "eval",
    written("(x) => eval(x)"),
    "pool.lexical",
    `The function passed to pool.map calls eval(), and what that code uses from outside cannot be seen: leave it out, or ${EXPORT}.`,
  ],
  [
    "a relative import",
    () => import("../../../src/errors.ts"),
    "pool.relative-import",
    relative("../../../src/errors.ts"),
  ],
  [
    "a relative import from parts",
    written("(x) => import(`./$" + "{x}.js`)"),
    "pool.relative-import",
    relative("./"),
  ],
  [
    "a relative import in a sum",
    written("(x) => import('../' + x)"),
    "pool.relative-import",
    relative("../"),
  ],
  [
    "old syntax",
    written("function (x) { with (x) return y }"),
    "pool.unreadable",
    `The function passed to pool.map cannot be read as strict code ('with' in strict mode): fix that, or ${EXPORT}.`,
  ],
  ["nothing", undefined, "pool.not-a-function", noFunction("a value of type undefined")],
  ["null", null, "pool.not-a-function", noFunction("null")],
  ["an array", [1], "pool.not-a-function", noFunction("an array")],
  ["a text", "x => x", "pool.not-a-function", noFunction("a value of type string")],
] as const) {
  test(`${what} is refused with what to do`, () => refused(fn, code, message));
}

test("a helper of the bundler is named with the option that puts it in", () => {
  const { code } = transformSync("(x) => { const twice = () => x * 2; return twice() }", { keepNames: true });
  const text = code.slice(code.indexOf("(x)")).trim().replace(/;$/, "");
  refused(
    written(text),
    "pool.captured",
    `The function passed to pool.map uses "__name", which a bundler puts in to keep the names of functions: turn its keepNames option off, or ${EXPORT}.`,
  );
});

test("a helper of a compiler for older engines is named with the remedy", () => {
  const { code } = transformSync("(async (x) => { await x })", { target: "es2016" });
  const text = code.slice(code.lastIndexOf("((x)")).trim().replace(/;$/, "");
  refused(
    written(text),
    "pool.captured",
    `The function passed to pool.map uses "__async", which a compiler puts in for older engines: set its target to node24, or ${EXPORT}.`,
  );
});

for (const [text, name, module] of [
  ["(x) => crypto.createHash('md5').update(x).digest()", "crypto", "node:crypto"],
  ["(x) => { const { randomUUID, createHash } = crypto; return createHash(x) }", "crypto", "node:crypto"],
  ["async (x) => { await setTimeout(x); return x }", "setTimeout", "node:timers/promises"],
  ["async (x) => { for await (const y of setInterval(x)) return y }", "setInterval", "node:timers/promises"],
] as const) {
  test(`${name} is told from the global of that name by its use in ${text}`, () => {
    const message = `The function passed to pool.map uses "${name}" of ${module}, in place of which a worker has another ${name}, a global of Node: write const { … } = await import("${module}") in the function, or ${EXPORT}.`;
    refused(written(text), "pool.captured", message);
  });
}

for (const text of [
  "(x) => crypto.subtle.digest('SHA-256', crypto.getRandomValues(x)) ?? crypto[x] ?? crypto.notYet?.()",
  "(x) => { const { subtle, [x]: y, ...rest } = crypto; return [subtle, y, rest] }",
  "async (x) => { const crypto = await import('node:crypto'); return crypto.createHash(x) }",
  "async (x) => { const { setTimeout } = await import('node:timers/promises'); await setTimeout(x) }",
  "async (x) => { await new Promise((resolve) => setTimeout(resolve, x)); clearTimeout(setTimeout(x, 1)) }",
]) {
  test(`globals are taken for globals in ${text}`, () => {
    assert.equal(inlineSource(written(text), "pool.map"), text);
  });
}

test("a method named class is a function like any other", () => {
  const method = written("{ class(x) { return x } }.class");
  assert.equal(callable(import.meta, method), method);
  assert.equal(runs(method, 3), 3);
});

test("the program's own variables are named before helpers", () => {
  assert.deepEqual(captured(written("(x) => __name(() => rate, 'f')")), ["rate"]);
});

test("what a bundler made of an import is refused by its name in the bundle", async () => {
  const path = await mkdtemp(join(tmpdir(), "pawl-inline-"));
  try {
    await writeFile(
      join(path, "rate.js"),
      "export const rate = Number(process.env.RATE); export const total = 1;",
    );
    await writeFile(
      join(path, "main.js"),
      'import { rate } from "./rate.js"; const total = 2; console.log(String((x) => x * rate), total);',
    );
    const outfile = join(path, "out.mjs");
    buildSync({ entryPoints: [join(path, "main.js")], outfile, bundle: true, format: "esm" });
    const { stdout } = await promisify(execFile)(process.execPath, [outfile]);
    assert.deepEqual(captured(written(stdout.slice(0, stdout.lastIndexOf(" ")))), ["rate"]);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});

test("functions with one text share one source, and workers compile it once", () => {
  const make = () => (x: number) => x + 1;
  const source = inlineSource(make(), "pool.map");
  assert.equal(inlineSource(make(), "pool.map"), source);
  assert.equal(compileInline(source), compileInline(source));
});

test("the parser is loaded when the first inline function is checked, and not before", async () => {
  const program = `
    import { Module } from "node:module";
    const loaded = () => Object.keys(Module._cache).some((path) => path.includes("acorn"));
    const { referenceTo } = await import(${JSON.stringify(new URL("../../../src/pool/callable/reference.ts", import.meta.url).href)});
    const { scale } = await import(${JSON.stringify(new URL("../fixtures/callables.ts", import.meta.url).href)});
    referenceTo(scale, "pool.map");
    const before = loaded();
    referenceTo((x) => x, "pool.map");
    console.log(before, loaded());`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  assert.equal(stdout, "false true\n");
});

test("a function is read and parsed once, however often it is referred to", (t) => {
  const read = t.mock.method(Function.prototype, "toString");
  const fn = (x: number) => x + 1;
  const reference = to(fn);
  const once = read.mock.callCount();
  assert.ok(once > 0);
  for (let time = 0; time < 1000; time++) assert.equal(to(fn), reference);
  assert.equal(read.mock.callCount(), once);
});

test("an error in an inline function points into its own text", () => {
  const fn = (x: { y: { z: number } }) => x.y.z;
  assert.throws(
    () => runs(fn, {}),
    (error: Error) => {
      const column = String(fn).indexOf(".z") + 2;
      assert.match(error.stack ?? "", new RegExp(`\\[inline function\\]:1:${column}`));
      return true;
    },
  );
});

test("an inline function is strict in a worker, as it is in a module", () => {
  assert.throws(() => runs(written("(x) => { Object.freeze(x).y = 1 }"), { y: 0 }), TypeError);
  assert.throws(
    () => runs(written("(x) => { if (false) import('node:fs'); Object.freeze(x).y = 1 }"), { y: 0 }),
    TypeError,
  );
});
