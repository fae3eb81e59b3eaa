import assert from "node:assert/strict";
import { PawlError } from "../src/errors.ts";

/** What programs in JavaScript give by mistake. */
export const ODD: readonly unknown[] = [
  null,
  0,
  -1,
  Number.NaN,
  "",
  "x",
  true,
  Symbol("s"),
  5n,
  {},
  [],
  Object.create(null),
  { toString: null },
];

/** Asserts that arguments are taken, or refused with a code and in one sentence. Returns what they gave. */
export async function assertSaid(what: string, work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    assert.ok(error instanceof PawlError, `${what}: ${String(error)}`);
    assert.match(error.message, /^[^\n]+\.$/, what);
    assert.match(error.code, /^[a-z]+[.a-z-]+$/, what);
    return undefined;
  }
}
