import assert from "node:assert/strict";
import { test } from "node:test";
import { contentProblems } from "../../scripts/package/contents.ts";

const description = {
  name: "pawl",
  bin: { pawl: "bin/pawl.cjs" },
  exports: {
    "./batch": { types: "./dist/batch/index.d.ts", default: "./dist/batch/index.js" },
    "./package.json": "./package.json",
  },
  devDependencies: {},
};
const whole = [
  ...["package.json", "README.md", "LICENSE", "CHANGELOG.md", "bin/pawl.cjs"],
  ...["dist/batch/index.js", "dist/batch/index.d.ts", "docs/jobs.md"],
];

test("a tarball with what users need, and only that, is fine", () => {
  assert.deepEqual(contentProblems(whole, description), []);
});

test("sources, tests and leftovers in the tarball are named", () => {
  for (const junk of [
    "src/batch/index.ts",
    "dist/batch/test/a.js",
    "dist/a.test.js",
    ".pawl/store.db",
    "x.tgz",
  ]) {
    assert.deepEqual(contentProblems([...whole, junk], description), [
      `the tarball holds ${junk}, which no user needs`,
    ]);
  }
});

test("a file that package.json promises and the tarball lacks is named", () => {
  for (const file of ["dist/batch/index.d.ts", "bin/pawl.cjs", "LICENSE"]) {
    const files = whole.filter((each) => each !== file);
    assert.deepEqual(contentProblems(files, description), [`the tarball lacks ${file}`]);
  }
});

test("a script that npm would run on install is named", () => {
  const scripts = { build: "tsc", prepack: "tsc", postprepare: "tsc" };
  assert.deepEqual(contentProblems(whole, { ...description, scripts }), []);
  for (const name of ["preinstall", "install", "postinstall", "prepare"])
    assert.deepEqual(contentProblems(whole, { ...description, scripts: { ...scripts, [name]: "tsc" } }), [
      `package.json has the script ${name}, of which npm warns when the tarball is installed`,
    ]);
});
