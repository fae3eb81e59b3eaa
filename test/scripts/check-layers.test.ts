import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { violationsOf } from "../../scripts/layers/violations.ts";

const description = JSON.stringify({ exports: { "./batch": "./dist/batch/index.js" } });

function check(files: Record<string, string>): string[] {
  const root = mkdtempSync(join(tmpdir(), "pawl-layers-"));
  try {
    for (const [path, text] of Object.entries({ "package.json": description, ...files })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return violationsOf(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const errors = { "src/errors.ts": "export class E extends Error {}" };
const store = {
  "src/store/contract.ts": "export type A = 1;",
  "src/store/sqlite/open.ts": "export const b = 1;",
};

test("a house in which every floor imports only from below has no violations", () => {
  const violations = check({
    ...errors,
    ...store,
    "src/tasks/index.ts": `import type { A } from "../store/contract.ts";
      import { E } from "../errors.ts";
      import pg from "pg";
      export { E, pg };
      export type B = A;`,
    "recipes/one/main.ts": `import { run } from "pawl/batch"; import "./step.ts"; import "node:fs";`,
  });
  assert.deepEqual(violations, []);
});

const upward = {
  "a static import": `import { b } from "../cli/main.ts";\nexport const a = b;`,
  "a type import": `import type { b } from "../cli/main.ts";\nexport type A = b;`,
  "an import type": `export type A = import("../cli/main.ts").A;`,
  "a dynamic import": `export const a = () => import("../cli/main.ts");`,
  "a re-export": `export { b } from "../cli/main.ts";`,
  "a re-export of everything": `export * from "../cli/main.ts";`,
  "a worker's URL": `export const a = new URL("../cli/main.ts", import.meta.url);`,
  "a worker's URL that ends as its starter does": `export const a = new URL(\`../cli/main\${extname(import.meta.url)}\`, import.meta.url);`,
  "a resolved path": `export const a = import.meta.resolve("../cli/main.ts");`,
};
for (const [kind, text] of Object.entries(upward)) {
  test(`${kind} that reaches a floor above is refused`, () => {
    const violations = check({ "src/store/index.ts": text, "src/cli/main.ts": "export const b = 1;" });
    assert.deepEqual(violations, [
      "src/store/index.ts:1: imports src/cli/main.ts; the store floor may import from errors.ts only",
    ]);
  });
}

test("store, pool and doctor do not know each other", () => {
  for (const other of ["pool", "doctor"]) {
    const violations = check({ ...store, [`src/${other}/index.ts`]: `import "../store/contract.ts";` });
    assert.match(violations.join(), new RegExp(`the ${other} floor may import from errors.ts only`));
  }
});

test("connect sees the contract of the batch floor and nothing else of it", () => {
  const batch = {
    "src/batch/contract.ts": "export type A = 1;",
    "src/batch/run.ts": "export const run = 1;",
  };
  assert.deepEqual(check({ ...batch, "src/connect/csv/index.ts": `import "../../batch/contract.ts";` }), []);
  const violations = check({ ...batch, "src/connect/csv/index.ts": `import "../../batch/run.ts";` });
  assert.match(violations.join(), /the connect floor may import from .*batch\/contract\.ts/);
});

test("another floor is entered by one of its doors", () => {
  for (const door of ["index", "internal", "contract"]) {
    const files = { ...store, [`src/store/${door}.ts`]: "export {};" };
    assert.deepEqual(check({ ...files, "src/tasks/index.ts": `import "../store/${door}.ts";` }), []);
  }
  const violations = check({ ...store, "src/tasks/index.ts": `import "../store/sqlite/open.ts";` });
  assert.deepEqual(violations, [
    "src/tasks/index.ts:1: imports src/store/sqlite/open.ts; enter the store floor by its index.ts, internal.ts or contract.ts",
  ]);
});

test("files that import one another are refused with the way round", () => {
  const violations = check({
    "src/pool/a.ts": `import "./b.ts";`,
    "src/pool/b.ts": `import "./c.ts";`,
    "src/pool/c.ts": `import type { A } from "./a.ts";`,
  });
  assert.deepEqual(violations, [
    "src/pool/a.ts: import cycle: src/pool/a.ts → src/pool/b.ts → src/pool/c.ts → src/pool/a.ts",
  ]);
});

test("a worker may import the module that starts it", () => {
  const violations = check({
    "src/pool/a.ts": `export const url = new URL("./worker.ts", import.meta.url);`,
    "src/pool/worker.ts": `import "./a.ts";`,
  });
  assert.deepEqual(violations, []);
});

test("a file that belongs to no floor, a missing file, a way out of src and a self-import are refused", () => {
  const violations = check({
    "src/misc/a.ts": "export {};",
    "src/b.ts": "export {};",
    "src/pool/a.ts": `import "./none.ts"; import "../../test/x.ts"; import "pawl/batch";`,
  });
  assert.equal(violations.length, 5);
  assert.match(violations.join("\n"), /belongs to no floor.*no such file.*outside src.*relative path/s);
});

test("a recipe that uses anything but the public subpaths and its own files is refused", () => {
  const violations = check({
    "recipes/one/main.ts": `import "pawl/store/sqlite";\nimport "../../src/errors.ts";\nimport "../two/step.ts";`,
  });
  assert.equal(violations.length, 3);
  assert.match(violations[0] ?? "", /recipes\/one\/main\.ts:1: imports pawl\/store\/sqlite; .* pawl\/batch/);
});

test("words in comments and strings are not imports", () => {
  const text = `// import "../cli/main.ts"\nexport const a = 'import "../cli/main.ts"';`;
  assert.deepEqual(check({ "src/store/index.ts": text }), []);
});
