import { Module } from "node:module";
import { join } from "node:path";
import { Script } from "node:vm";
import type { AnyFunction } from "../callable.ts";

const compiled = new Map<string, AnyFunction>();
/** A program that makes up sources as it goes must not fill its workers. */
const KEPT = 500;

/** What stack traces show. */
const FILE = "[inline function]";
const BEFORE = '"use strict";';

/**
 * The function of a checked source, in a worker; the same one for the same source. As in `node --eval`, the packages it
 * imports are looked up from the working directory.
 */
export function compileInline(source: string): AnyFunction {
  const known = compiled.get(source);
  if (known) return known;
  const fn = /\bimport\b/.test(source) ? withImport(source) : plain(source);
  if (compiled.size >= KEPT) compiled.clear();
  compiled.set(source, fn);
  return fn;
}

function plain(source: string): AnyFunction {
  const before = `${BEFORE}(`;
  // The offset makes stack traces count from the function's own beginning.
  const script = new Script(`${before}${source}\n)`, {
    filename: FILE,
    columnOffset: -before.length,
  });
  return script.runInThisContext() as AnyFunction;
}

/**
 * Only code of a module or of a file can import without a word from Node: a script of `node:vm` can too, but warns of
 * an experiment at the first import.
 */
function withImport(source: string): AnyFunction {
  const filename = join(process.cwd(), FILE);
  const module = new Module(filename) as Module & { _compile(code: string, filename: string): void };
  module._compile(`${BEFORE}module.exports = (${source}\n)`, filename);
  return module.exports as AnyFunction;
}
