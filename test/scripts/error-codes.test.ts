import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { codesIn, errorCodes } from "../../scripts/errors/codes.ts";

const listed = (...lines: string[]) =>
  Object.fromEntries(
    codesIn([{ name: "a.ts", source: lines.join("\n") }]).map(({ code, messages }) => [code, [...messages]]),
  );

test("a code is found wherever an error is given it, with each sentence that may come with it", () => {
  const codes = listed(
    `throw new PawlError("csv.missing", \`\${path} does not exist.\`);`,
    'throw new PawlError("csv.other", some(text));',
    `throw new ItemError(bad ? "no url" : \`no \${what}\`, { code: "copy.manifest" });`,
    'class A extends PawlError { constructor() { super(options?.code ?? "task.permanent", message); } }',
    'class B extends PawlError { constructor() { super(is ? "task.cancelled" : "task.failed", sentence); } }',
    'return { index, reason: "the step " + why, code: "copy.step" };',
    'refuse("csv.option", "Give " + "one.");',
    'findColumn(table, name, "csv.no-column", "--key");',
  );
  assert.deepEqual(codes, {
    "copy.manifest": ["no url", "no …"],
    "copy.step": ["the step …"],
    "csv.missing": ["… does not exist."],
    "csv.no-column": [],
    "csv.option": ["Give one."],
    "csv.other": [],
    "task.cancelled": [],
    "task.failed": [],
    "task.permanent": [],
  });
});

test("columns, files, metrics and prefixes are not taken for codes", () => {
  const codes = listed(
    'const sql = at("j.id", "t.join_id"); order(["a.task", "o.id"]); pick("t.seq", "open.seq");',
    'read("store.db", "the file of the store"); meter("pawl.tasks.waiting", "tasks that wait"); x("pool.some-", "a b");',
    'if (code.startsWith("store.some-")) open("content.xml"); throw new PawlError("store.gone", "It is gone.");',
  );
  assert.deepEqual(codes, { "store.gone": ["It is gone."] });
});

test("every code of the sources has a subject of at least two letters", () => {
  const codes = errorCodes(join(import.meta.dirname, "../../src")).map(({ code }) => code);
  assert.ok(codes.length > 300);
  assert.deepEqual(
    codes.filter((code) => !/^[a-z][a-z0-9]+\./.test(code)),
    [],
  );
});
