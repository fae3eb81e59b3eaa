import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { type Declaration, Declarations } from "../../scripts/api/declarations.ts";
import { modulesOf, readDescription } from "../../scripts/package/description.ts";
import { TestServer } from "../connect/postgres/server.ts";
import { type CodeBlock, codeBlocks, exampleBlocks } from "./code-blocks.ts";
import { unusedReasons, whyNotRun } from "./not-run.ts";
import { Page, stable } from "./page.ts";
import { withAssertions } from "./value-comments.ts";

const root = join(import.meta.dirname, "..", "..");
const run = promisify(execFile);
/** Programs, and commands of a shell alone or with what they print. Recipes have tests of their own. */
const LANGUAGES = ["ts", "sh", "console"];
/** Shared with the commands of other tests, so that each program need not compile the package again. */
const compileCache = join(tmpdir(), "pawl-test-compile-cache");
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

  it("runs and prints what the page says, but for what the list of exceptions names", async (test) => {
    await using server = await TestServer.shared();
    const left = pageFiles("docs/*.md");
    const wrong: string[] = [];
    const turns = Array.from({ length: 2 }, async () => {
      for (let file = left.shift(); file !== undefined; file = left.shift()) {
        const page = new Page(join(folder, file), await server.createDatabase(), compileCache);
        for (const block of codeBlocks(join(root, file), file)) {
          if (!LANGUAGES.includes(block.language)) continue;
          const why = whyNotRun(block);
          if (why !== null && block.output !== null)
            wrong.push(`${block.name} shows what it prints, and is not run: ${why}`);
          if (why !== null) continue;
          test.diagnostic(`runs ${block.name}`);
          const printed = await page.run(block).catch((error: Error) => {
            wrong.push(`${block.name} fails: ${error.message}`);
            return [];
          });
          for (const { expected, actual } of printed) {
            if (stable(actual) !== stable(expected))
              wrong.push(`${block.name} prints\n${actual}\nand not\n${expected}`);
          }
        }
      }
    });
    await Promise.all(turns);
    assert.equal(wrong.join("\n"), "");
    assert.deepEqual(unusedReasons(), [], "reasons for which no block is left out");
  });

  it("has the values that examples of exports say in comments", async () => {
    const programs = examples().flatMap((block) => {
      const code = withAssertions(block.code);
      return code === null || /^declare /m.test(block.prelude) ? [] : [{ ...block, code }];
    });
    assert.ok(programs.length > 8, String(programs.length));
    const together: string[] = [];
    const alone: string[] = [];
    for (const [at, { prelude, code, name }] of programs.entries()) {
      const file = join(folder, `value-${at}.ts`);
      writeFileSync(file, `// ${name}\n${prelude}\n${code}\n`);
      (code.includes("import.meta.main") ? alone : together).push(file);
    }
    const all = join(folder, "values.ts");
    writeFileSync(all, together.map((file) => `await import(${JSON.stringify(file)});`).join("\n"));
    const env = { ...process.env, NODE_COMPILE_CACHE: compileCache };
    const left = [all, ...alone];
    const turns = Array.from({ length: 2 }, async () => {
      for (let file = left.shift(); file !== undefined; file = left.shift())
        await run(process.execPath, [file], { cwd: folder, env });
    });
    await Promise.all(turns);
  });
});

function pageFiles(...patterns: readonly string[]): string[] {
  return ["README.md", ...globSync(patterns, { cwd: root })];
}

function pages(): CodeBlock[] {
  const blocks = pageFiles("docs/*.md", "recipes/*/*.md").flatMap((file) =>
    codeBlocks(join(root, file), file),
  );
  return blocks.filter(({ language }) => language === "ts");
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
