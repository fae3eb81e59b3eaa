import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { type Declaration, Declarations } from "../../scripts/api/declarations.ts";
import { modulesOf, readDescription } from "../../scripts/package/description.ts";
import { type CodeBlock, codeBlocks, exampleBlocks } from "./code-blocks.ts";

const root = join(import.meta.dirname, "..", "..");
const run = promisify(execFile);
/** Values that `pawl` itself exports: examples may use them without saying where from. */
const ROOT_NAMES = Object.keys(await import("../../src/index.ts"));

describe("what the documentation shows", () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "pawl-examples-"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    linkPackages(join(folder, "node_modules"));
    // What pages call the reader's own job.
    writeFileSync(
      join(folder, "job.ts"),
      'import { csv, defineJob, postgres } from "pawl";\nexport default defineJob({ name: "n", source: csv("a.csv"), sink: postgres({ url: "", table: "t" }) });\n',
    );
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it("compiles: every block of TypeScript in the pages and every example of an export", async () => {
    const blocks = [...pages(), ...examples()];
    assert.ok(blocks.length > 20, String(blocks.length));
    const names = new Map<string, string>();
    for (const [at, block] of blocks.entries()) {
      const file = `example-${at}.ts`;
      names.set(file, block.name);
      writeFileSync(join(folder, file), `${block.prelude}\n${block.code}\nexport {};\n`);
    }
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const options = [
      "--noEmit",
      "--strict",
      "--target",
      "es2024",
      "--lib",
      "es2024,esnext",
      "--module",
      "nodenext",
    ];
    const types = [
      "--types",
      "node",
      "--skipLibCheck",
      "--moduleDetection",
      "force",
      "--allowImportingTsExtensions",
    ];
    const { stdout } = await run(process.execPath, [tsc, ...options, ...types, ...names.keys()], {
      cwd: folder,
    }).catch((failed: { readonly stdout: string }) => failed);
    const said = stdout.replaceAll(/example-\d+\.ts/g, (file) => names.get(file) ?? file);
    assert.equal(said, "");
  });

  it("prints what the page says that it prints", async () => {
    for (const { name, prelude, code, output } of pages()) {
      if (output === null) continue;
      const file = join(folder, "printing.ts");
      writeFileSync(file, `${prelude}\n${code}\n`);
      const { stdout } = await run(process.execPath, [file], { cwd: folder });
      assert.equal(stdout.trim(), output.trim(), name);
    }
  });
});

function pages(): CodeBlock[] {
  const files = [
    "README.md",
    ...globSync("docs/**/*.md", { cwd: root }),
    ...globSync("recipes/**/*.md", { cwd: root }),
  ];
  return files.flatMap((file) => codeBlocks(join(root, file), file));
}

/** Examples see everything that their module exports without importing it. */
function examples(): CodeBlock[] {
  const description = readDescription(root);
  const declarations = new Declarations();
  return modulesOf(description).flatMap((module) => {
    const target = description.exports[module.replace(/^pawl/, ".")];
    assert.ok(typeof target === "object" && target.types !== undefined, module);
    const exported = declarations.exportsOf(join(root, target.types));
    return [...exported].flatMap(([name, found]) =>
      found.flatMap((declaration) => withImports(docsOf(declaration, name), module, exported.keys())),
    );
  });
}

function docsOf({ doc, docs }: Declaration, name: string): CodeBlock[] {
  return [doc ?? "", ...docs].flatMap((text) => exampleBlocks(text, `@example of ${name}`));
}

/** What examples call the reader's own. */
const READERS_OWN: Readonly<Record<string, string>> = {
  url: "declare const url: string;",
  name: "declare const name: string;",
  source: 'declare const source: import("pawl/batch").Source<Readonly<Record<string, string | null>>>;',
  sink: 'declare const sink: import("pawl/batch").Sink<Readonly<Record<string, string | null>>>;',
};

function withImports(blocks: readonly CodeBlock[], module: string, names: Iterable<string>): CodeBlock[] {
  const own = [...names];
  return blocks.map((block) => {
    const isMissing = (name: string) =>
      new RegExp(`(?<![.\\w"'])${name}\\b`).test(block.code) &&
      !new RegExp(
        `^(import\\s+[{*\\w][^;]*|.*\\b(const|function|class)\\s+(?:\\{[^}]*)?)\\b${name}\\b`,
        "m",
      ).test(block.code);
    const here = own.filter(isMissing);
    const others = ROOT_NAMES.filter((name) => !own.includes(name) && isMissing(name));
    const prelude = [
      ...(here.length === 0 ? [] : [`import { ${here.join(", ")} } from "${module}";`]),
      ...(others.length === 0 ? [] : [`import { ${others.join(", ")} } from "pawl";`]),
      ...Object.entries(READERS_OWN).flatMap(([name, declared]) => (isMissing(name) ? [declared] : [])),
    ];
    return { ...block, prelude: prelude.join("\n") };
  });
}

/** The packages of this checkout, and `pawl` itself, under one roof. */
function linkPackages(modules: string): void {
  mkdirSync(modules);
  symlinkSync(root, join(modules, "pawl"));
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name.startsWith(".")) continue;
    const link = join(modules, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", name), link);
  }
}
