import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..", "..");
const page = readFileSync(join(root, "docs", "internals.md"), "utf8");
const source = (path: string) => readFileSync(join(root, path), "utf8");

test("every file that the page on the inside names is there", () => {
  const links = [...page.matchAll(/\]\(\.\.\/([^)#]+)\)/g)].map(([, path]) => path ?? "");
  assert.ok(links.length > 80, `${links.length} links`);
  assert.deepEqual(
    links.filter((path) => !existsSync(join(root, path))),
    [],
  );
});

test("what a link calls a file is the end of its path", () => {
  for (const [, text, path] of page.matchAll(/\[([^\]]+\.ts)\]\(\.\.\/([^)]+)\)/g))
    assert.ok(path?.endsWith(text ?? "?"), `${text} is ${path}`);
});

test("every name that the page gives is exported by the file beside it", () => {
  const named = /`(\w+)`(?:,? \(?|\s+\()\(?\[[^\]]+\]\(\.\.\/(src\/[^)]+\.ts)\)/g;
  const behind = /\[src\/[^\]]+\]\(\.\.\/(src\/[^)]+\.ts)\) \(`(\w+)`\)/g;
  const pairs = [
    ...[...page.matchAll(named)].map(([, name, path]) => [name, path]),
    ...[...page.matchAll(behind)].map(([, path, name]) => [name, path]),
  ] as [string, string][];
  assert.ok(pairs.length > 40, `${pairs.length} names`);
  const missing = pairs.filter(
    ([name, path]) =>
      existsSync(join(root, path)) &&
      !new RegExp(`^export (?:async )?(?:abstract )?(?:function\\*?|class|const) ${name}\\b`, "m").test(
        source(path),
      ),
  );
  assert.deepEqual(missing, []);
});
