import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Exception } from "../../scripts/lookups/exceptions.ts";
import { lookupViolations } from "../../scripts/lookups/violations.ts";

const tsconfig = JSON.stringify({
  compilerOptions: { target: "es2024", module: "nodenext", strict: true, noEmit: true, types: [] },
  include: ["src"],
});

/** The violations of a checkout with one file that begins with these declarations. */
function check(lines: readonly string[], allowed: readonly Exception[] = []): string[] {
  const root = mkdtempSync(join(tmpdir(), "pawl-lookups-"));
  try {
    mkdirSync(join(root, "src"));
    writeFileSync(join(root, "tsconfig.json"), tsconfig);
    writeFileSync(join(root, "src/a.ts"), `${DECLARATIONS}\n${lines.join("\n")}\n`);
    return lookupViolations(root, ["src"], allowed);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const DECLARATIONS =
  'export {}; declare const texts: Record<string, string>; declare const table: { a: 1; b: 2 }; declare const key: string; declare const letter: "a" | "b"; declare const given: any; declare const list: string[]; declare const at: number; declare const map: Map<string, string>;';

/** The lines, counted from 2, that are refused. */
function refused(lines: readonly string[]): number[] {
  return check(lines).map((violation) => Number(/^src\/a\.ts:(\d+): /.exec(violation)?.[1]));
}

test("every way to a member by a key of any text is refused", () => {
  const lines = [
    "texts[key];",
    "texts[key] = '';",
    "texts?.[key];",
    ["texts[`x-$", "{key}`];"].join(""),
    "texts[key.toLowerCase()] ??= '';",
    "table[key as 'a' | string];",
    "key in texts;",
    "given in texts;",
    "texts[given];",
    "given[key];",
    "const { [key]: one } = texts;",
    "function f<K extends keyof typeof table>(name: K) { return table[name]; }",
    "Reflect.get(texts, key);",
    "Reflect.has(texts, key);",
    "Object.assign({}, texts);",
    "Object.assign({}, table, given);",
    "Object.hasOwn(texts, key) ? 0 : texts[key];",
    "Object.hasOwn(texts, given) && texts[key];",
    "(globalThis as any)[key];",
  ];
  assert.deepEqual(
    refused(lines),
    lines.map((_, index) => index + 2),
  );
});

test("keys that stand in the program, numbers and symbols are not refused, nor is what asks before", () => {
  const lines = [
    "texts['a']; table[letter]; 'a' in texts; list[at]; list[at] = '';",
    "declare const s: unique symbol; declare const o: { [s]: 1 }; o[s]; s in o;",
    "map.get(key); Object.hasOwn(texts, key);",
    "Object.hasOwn(texts, key) ? texts[key] : 0;",
    "Object.hasOwn(texts, key) && texts[key];",
    "if (at > 0 && Object.hasOwn(texts, key)) { texts[key]; }",
    "for (const each of Object.keys(table) as (keyof typeof table)[]) table[each];",
    "class A { #x = 1; static is(a: object) { return #x in a; } }",
    "Object.assign({}, table); ({ ...texts, [key]: '' });",
    "new Uint8Array(4)[at];",
  ];
  assert.deepEqual(check(lines), []);
});

test("a refusal names the place, what stands there and what to write", () => {
  assert.deepEqual(check(["", "  texts[", "  key];"]), [
    "src/a.ts:3: texts[ key] may find what every object inherits; use a Map, or own() and setOwn() of src/own.ts",
  ]);
});

test("an exception covers its place and no other, and is refused once nothing needs it", () => {
  const exception = { file: "src/a.ts", text: "texts[key]", because: "it is tested" };
  assert.deepEqual(check(["texts[key];"], [exception]), []);
  assert.match(
    check(["texts[key];", "texts[given];"], [exception]).join("\n"),
    /^src\/a\.ts:3: texts\[given\] .*$/,
  );
  assert.deepEqual(check(["table.a;"], [exception]), [
    "src/a.ts: does not need its exception for texts[key]",
  ]);
});
