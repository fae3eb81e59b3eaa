import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type BuildOptions, build } from "esbuild";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..", "..");
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url));
const expected = "[[3,6,9],[2,3,4],15,[1,true,3]]\n".repeat(2);

async function folder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "pawl-bundle-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

const bundles: readonly (readonly [string, BuildOptions])[] = [
  ["into one file", {}],
  ["into one small file", { minify: true }],
  ["into several files", { splitting: true }],
];

async function bundle(outdir: string, options: BuildOptions): Promise<void> {
  await build({
    entryPoints: [fixture("bundled-program"), fixture("unguarded-pool-program")],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    logLevel: "error",
    outdir,
    // Some of what the package uses is CommonJS, and asks for require.
    banner: {
      js: 'import { createRequire as __r } from "node:module"; const require = __r(import.meta.url);',
    },
    ...options,
  });
  await writeFile(join(outdir, "package.json"), '{"type":"module"}');
}

for (const [how, options] of bundles) {
  test(`a program with pools works when it is bundled ${how}`, async () => {
    await using place = await folder();
    await bundle(place.path, options);
    const { stdout } = await run(process.execPath, [join(place.path, "bundled-program.js")]);
    assert.equal(stdout, expected);
  });
}

test("a bundle whose main code is not guarded is refused, and starts no pool in its workers", async () => {
  await using place = await folder();
  await bundle(place.path, {});
  const failure = await run(process.execPath, [join(place.path, "unguarded-pool-program.js")]).then(
    () => assert.fail("it worked"),
    (error: { readonly stdout: string; readonly code: number }) => error,
  );
  assert.equal(failure.code, 1);
  assert.match(
    failure.stdout,
    /The pool's workers end before they begin: .* starts a pool while a worker loads it/,
  );
});

test("a bundle of CommonJS says what to do", async () => {
  await using place = await folder();
  const [input, outfile] = [join(place.path, "main.ts"), join(place.path, "main.cjs")];
  const pools = JSON.stringify(join(root, "src", "pool", "index.ts"));
  await writeFile(
    input,
    `import { Pool } from ${pools};
    try {
      new Pool({ workers: 1 });
    } catch (error) {
      console.log(error.message);
    }`,
  );
  await build({
    entryPoints: [input],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "silent",
  });
  const { stdout } = await run(process.execPath, [outfile]);
  assert.equal(
    stdout,
    "A pool cannot find its own code, which was bundled as CommonJS: have the bundler write ES modules.\n",
  );
});

test("the built package has pools", async () => {
  await using place = await folder();
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const dist = join(place.path, "dist");
  // Its types are checked elsewhere.
  const flags = ["-p", join(root, "tsconfig.build.json"), "--noCheck", "--outDir", dist];
  await run(process.execPath, [compiler, ...flags]);
  await writeFile(join(place.path, "package.json"), '{"type":"module"}');
  await symlink(join(root, "node_modules"), join(place.path, "node_modules"), "junction");
  const program = join(place.path, "program.ts");
  const text = await readFile(fixture("bundled-program"), "utf8");
  await writeFile(program, text.replace("../../../src/pool/index.ts", "./dist/pool/index.js"));
  const { stdout } = await run(process.execPath, [program]);
  assert.equal(stdout, expected);
});
