import assert from "node:assert/strict";
import { test } from "node:test";
import { failureReasons } from "../../../src/batch/index.ts";
import type { QuarantineRecord, Store } from "../../../src/store/index.ts";

/** The reasons of a run whose items failed so. */
async function reasonsOf(told: readonly string[]): Promise<string[]> {
  const records = told.map((reason, at) => ({
    reason,
    code: null,
    at: `line ${at}`,
    shard: 0,
    ordinal: at,
    number: at,
  }));
  const store = { quarantined: async () => records as unknown as QuarantineRecord[] } as unknown as Store;
  return (await failureReasons(store, "run")).map(({ count, reason }) => `${count} ${reason}`);
}

const VALUES = [
  "x",
  "",
  'x"',
  '"',
  '"x", y',
  'a"b"c',
  'x" y',
  'is "x" is',
  "(a) b",
  "a) b (",
  "1",
  "ä\nb",
  "a…",
];

test("reasons that differ in the value only count together, whatever characters the value has", async () => {
  const sentences: Readonly<Record<string, (value: string) => string>> = {
    'Column "n": invalid input syntax for type integer: "…"': (value) =>
      `Column "n": invalid input syntax for type integer: "${value}"`,
    'Column "n": value "…" is out of range for type integer': (value) =>
      `Column "n": value "${value}" is out of range for type integer`,
    'column "n": "…" is not a number': (value) => `column "n": ${JSON.stringify(value)} is not a number`,
    'duplicate key value violates unique constraint "u": Key (a)=(…) already exists': (value) =>
      `duplicate key value violates unique constraint "u": Key (a)=(${value}) already exists`,
  };
  for (const [kind, sentence] of Object.entries(sentences))
    assert.deepEqual(await reasonsOf(VALUES.map(sentence)), [`${VALUES.length} ${kind}`]);
});

test("a value that was cut counts with the others", async () => {
  const long = (text: string) => `Column "n": invalid input syntax for type integer: "${text.repeat(50)}…`;
  assert.deepEqual(
    await reasonsOf([long("a"), long("b"), 'Column "n": invalid input syntax for type integer: "c"']),
    ['3 Column "n": invalid input syntax for type integer: "…"'],
  );
});

test("reasons of different columns are told apart", async () => {
  const of = (column: string) => `Column "${column}": invalid input syntax for type integer: "x"`;
  assert.deepEqual(await reasonsOf([of("a"), of("b"), of("a")]), [
    '2 Column "a": invalid input syntax for type integer: "…"',
    '1 Column "b": invalid input syntax for type integer: "…"',
  ]);
});
