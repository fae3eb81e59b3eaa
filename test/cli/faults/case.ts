import assert from "node:assert/strict";
import { findRun, openItems } from "../../../src/batch/internal.ts";
import type { QuarantineRecord } from "../../../src/store/index.ts";
import type { TestServer } from "../../connect/postgres/server.ts";
import { type Outcome, Scene } from "../scene.ts";

/** One wrong thing, and what a person should be told about it. */
export interface Case {
  readonly name: string;
  readonly files?: Readonly<Record<string, string | Buffer>>;
  /** Run after the table `people` was made. */
  readonly sql?: string;
  /** What follows `pawl load`; `--into` is added unless it is there. Default: `people.csv --table people`. */
  readonly load?: readonly string[];
  /** Another command than `load`, in full. */
  readonly pawl?: readonly string[];
  readonly code: number;
  /** In the one sentence on standard error, for codes 2 and 4. */
  readonly says?: RegExp;
  /** The items that the store keeps, for code 3: where and why, in order. */
  readonly quarantined?: readonly (readonly [at: string, reason: RegExp])[];
  /** Ids in the table afterwards. Default: none, for code 2. */
  readonly ids?: readonly number[];
  readonly also?: (outcome: Outcome, scene: Scene) => Promise<void> | void;
}

const PEOPLE = `
  CREATE TABLE people (
    id int PRIMARY KEY, name text NOT NULL, age smallint CHECK (age < 150), boss int REFERENCES people, joined date
  );`;

export async function play(one: Case, server: TestServer): Promise<void> {
  await using scene = await Scene.begin(server, PEOPLE + (one.sql ?? ""));
  for (const [name, content] of Object.entries(one.files ?? { "people.csv": "id,name\n1,Ada\n" }))
    await scene.write(name, content);
  const args = one.load ?? ["people.csv", "--table", "people"];
  const into = args.includes("--into") ? [] : ["--into", scene.url];
  const outcome = await scene.pawl(one.pawl ?? ["load", ...args, ...into]);
  assert.equal(outcome.code, one.code, `exit code; standard error was: ${outcome.err}`);
  assertKind(outcome.err, outcome.out);
  if (one.says) {
    const sentence = theSentence(outcome.err);
    assert.match(sentence, one.says);
  }
  if (one.code === 2) assert.equal(outcome.out, "", "nothing was begun, so there is nothing to sum up");
  if (one.quarantined) await assertQuarantined(scene, one.quarantined);
  if (one.ids || one.code === 2) {
    const rows = await scene.query<{ id: number }>("SELECT id FROM people ORDER BY id");
    assert.deepEqual(
      rows.map(({ id }) => id),
      one.ids ?? [],
    );
  }
  await one.also?.(outcome, scene);
}

/** The line that says why the command did not do what it was asked for. */
export function theSentence(err: string): string {
  const sentences = err.split("\n").filter((line) => line.startsWith("pawl: "));
  assert.equal(sentences.length, 1, `one sentence is expected in: ${err}`);
  const [sentence = ""] = sentences;
  assert.match(sentence, /[.?]$/);
  return sentence;
}

/** Nothing that is said may look like a crash. */
export function assertKind(...texts: readonly string[]): void {
  for (const text of texts) {
    assert.doesNotMatch(text, /^\s+at .*[:(]\d+/m, "no stack trace");
    assert.doesNotMatch(text, /\bundefined\b|\[object |node:internal|Error:/);
  }
}

async function assertQuarantined(scene: Scene, expected: NonNullable<Case["quarantined"]>): Promise<void> {
  const items = await scene.stored(async (store) => {
    const { id } = await findRun(store, "last");
    const found: QuarantineRecord[] = [];
    for await (const item of openItems(store, id)) found.push(item);
    return found;
  });
  assert.ok(items !== null);
  assert.deepEqual(
    items.map(({ at }) => at),
    expected.map(([at]) => at),
  );
  for (const [index, [, reason]] of expected.entries()) assert.match(items[index]?.reason ?? "", reason);
}
