import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type BuildOptions, build } from "esbuild";
import { callable, isLoading } from "../../../src/pool/callable/callable.ts";
import { referenceTo } from "../../../src/pool/callable/reference.ts";
import { childProcess, thread } from "../fixtures/ask.ts";
import { root, scale, shout } from "../fixtures/callables.ts";
import { double, make, remake } from "../fixtures/factory.ts";
import { meanwhile } from "../fixtures/meanwhile.ts";
import { nested } from "../fixtures/nested.ts";
import { twice } from "../fixtures/unguarded.ts";
import { thrice } from "../fixtures/unguarded-inside.ts";
import { outcome, work } from "../fixtures/unguarded-later.ts";

const to = (fn: Parameters<typeof referenceTo>[0]) => referenceTo(fn, "pool.map");
const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const sources = new URL("../../../src/pool/", import.meta.url);

async function folder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "pawl-callable-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

for (const [kind, start] of [
  ["thread", thread],
  ["process", childProcess],
] as const) {
  test(`a ${kind} finds callables in their module, with what they use there`, async () => {
    await using worker = start();
    const answers = [worker.ask(to(scale), 4), worker.ask(to(shout), "so"), worker.ask(to(root), 9)];
    assert.deepEqual(await Promise.all(answers), [12, "SO!", 3]);
  });

  test(`a ${kind} has a thread of its own work for it`, async () => {
    await using worker = start();
    assert.deepEqual(await worker.ask(to(nested), 5), [15, 6, -5]);
  });

  test(`a ${kind} refuses a pool at the top level of a module it loads`, async () => {
    await using worker = start();
    const url = fixture("unguarded.ts").href;
    await assert.rejects(worker.ask(to(twice), 1), {
      code: "pool.unguarded-main",
      message: `${url} starts a pool while a worker loads it to find a function: put that code under if (import.meta.main), or the function in a module of its own.`,
    });
    const outer = fixture("unguarded-inside.ts").href;
    // The module inside failed already; what is said is said of the one that was asked for first.
    await assert.rejects(worker.ask(to(thrice), 1), { code: "pool.unguarded-main", message: /unguarded/ });
    await using other = start();
    await assert.rejects(other.ask(to(thrice), 1), {
      code: "pool.unguarded-main",
      message: new RegExp(`^${outer.replaceAll(".", "\\.")} starts a pool`),
    });
  });
}

test("a callable is the very function it was made from", () => {
  const fn = (x: number, y?: string): number => x + (y?.length ?? 0);
  const same: (x: number, y?: string) => number = callable(import.meta, fn);
  assert.equal(same, fn);
  assert.equal(scale(2), 6);
});

test("a reference to a callable is plain data, and the same one each time", () => {
  const reference = to(shout);
  assert.deepEqual(structuredClone(reference), {
    kind: "module",
    module: fixture("callables.ts").href,
    index: 1,
    digest: reference.kind === "module" ? reference.digest : "",
  });
  assert.match(reference.kind === "module" ? reference.digest : "", /^[\w-]{16}$/);
  assert.equal(to(shout), reference);
});

test("a module imported under another URL has callables of its own", async () => {
  const again: typeof import("../fixtures/callables.ts") = await import(
    `${fixture("callables.ts").href}?again`
  );
  await using worker = thread();
  assert.equal(await worker.ask(to(again.scale), 4), 12);
  assert.notEqual(to(again.scale), to(scale));
});

test("what a module begins at its top level and does not wait for cannot use a pool either", async () => {
  await using worker = thread();
  const [free, refused] = await Promise.all([worker.ask(to(work)), worker.ask(to(outcome))]);
  assert.deepEqual([free, refused], ["used a pool", "pool.unguarded-main"]);
  // In the program itself nothing is being loaded for a worker.
  assert.equal(await outcome(), "used a pool");
  assert.equal(isLoading(), false);
});

test("a function that works while its worker loads other modules may use a pool", async () => {
  const { slow } = await import("../fixtures/slow.ts");
  const { slow: pooled }: typeof import("../fixtures/slow.ts") = await import(
    `${fixture("slow.ts").href}?pool`
  );
  await using worker = thread();
  const answers = await Promise.allSettled([
    worker.ask(to(meanwhile)),
    worker.ask(to(slow)),
    worker.ask(to(pooled)),
    worker.ask(to(slow)),
  ]);
  assert.deepEqual(
    answers.map((each) => (each.status === "fulfilled" ? each.value : each.reason.code)),
    ["used a pool", "slow", "pool.unguarded-main", "slow"],
  );
});

test("a function made inside another function has no place that workers know", async () => {
  const late = make(5);
  await using worker = thread();
  assert.equal(await worker.ask(to(double), 4), 8);
  // Now the worker has a function with the same text at the same place, which is another one all the same.
  await worker.ask(to(remake), 9);
  await assert.rejects(worker.ask(to(late), 4), {
    code: "pool.callable-missing",
    message: `A worker found 2 callables in ${fixture("factory.ts").href}, and so none at position 3: call callable() at the top level of the module, neither inside a function nor under a condition such as import.meta.main.`,
  });
});

test("a worker that finds another version of a function says so", async () => {
  await using place = await folder();
  const path = join(place.path, "changing.ts");
  const module = (body: string) =>
    `import { callable } from ${JSON.stringify(new URL("callable/callable.ts", sources).href)};\n` +
    `export const count = callable(import.meta, (x: number) => ${body});\n`;
  await writeFile(path, module("x + 1"));
  const url = pathToFileURL(path).href;
  const { count } = await import(url);
  await using before = thread();
  assert.equal(await before.ask(to(count), 1), 2);
  await writeFile(path, module("x + 2"));
  assert.equal(await before.ask(to(count), 1), 2);
  await using after = thread();
  await assert.rejects(after.ask(to(count), 1), {
    code: "pool.callable-mismatch",
    message: `A worker found another version of function 1 in ${url} (count): leave the file as it is while a pool runs, and see that every process compiles it in the same way and calls callable() in the same order.`,
  });
  await rm(path);
  await using late = thread();
  await assert.rejects(late.ask(to(count), 1), {
    code: "pool.callable-import",
    message: `A worker cannot find ${url}, where callable() was called: keep the function in a file that stays where it is while the pool runs.`,
  });
  await writeFile(path, module("x + 1"));
  assert.equal(await late.ask(to(count), 1), 2);
});

test("a module that fails to load in a worker is named, with its reason", async () => {
  await using place = await folder();
  const path = join(place.path, "needy.ts");
  await writeFile(
    path,
    `import { isMainThread } from "node:worker_threads";
    import { callable } from ${JSON.stringify(new URL("callable/callable.ts", sources).href)};
    if (!isMainThread) throw new Error("No screen to draw on.\\nAt all.");
    export const draw = callable(import.meta, () => 1);`,
  );
  const url = pathToFileURL(path).href;
  const { draw } = await import(url);
  await using worker = thread();
  for (let time = 0; time < 2; time++) {
    await assert.rejects(worker.ask(to(draw)), {
      code: "pool.callable-import",
      message: `A worker cannot load ${url}, where callable() was called (No screen to draw on): move the function to a module that needs only what workers have too.`,
    });
  }
});

test("callable refuses what is not a function, and a module without a URL", () => {
  const loose = callable as (meta: unknown, fn: unknown) => unknown;
  for (const [given, called] of [
    [undefined, "undefined"],
    [null, "null"],
    ["x", "string"],
  ]) {
    assert.throws(() => loose(import.meta, given), {
      name: "PawlError",
      code: "pool.callable-function",
      message: `callable() in ${import.meta.url} takes a function as its second argument, but was given ${called}: write callable(import.meta, (item) => …).`,
    });
  }
  for (const meta of [{}, undefined, () => 1, import.meta.url]) {
    assert.throws(() => loose(meta, () => 1), {
      name: "PawlError",
      code: "pool.callable-meta",
      message:
        "callable() was given no import.meta with a URL, without which a worker cannot find the module: write callable(import.meta, …), and have a bundler write ES modules.",
    });
  }
});

const bundles: readonly (readonly [string, BuildOptions])[] = [
  ["bundled into one file", {}],
  ["bundled into one small file", { minify: true }],
  ["bundled with the names of functions kept", { keepNames: true }],
  ["built into several files", { splitting: true, outExtension: { ".js": ".js" } }],
];

async function bundle(outdir: string, options: BuildOptions): Promise<void> {
  const separate = ["program", "unguarded-program", "answering-thread", "answering-process"];
  const groups = options.splitting ? [separate] : separate.map((name) => [name]);
  for (const names of groups) {
    await build({
      entryPoints: names.map((name) => fileURLToPath(fixture(`${name}.ts`))),
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node24",
      outExtension: { ".js": ".mjs" },
      logLevel: "error",
      outdir,
      ...options,
    });
  }
  if (options.outExtension?.[".js"] === ".js")
    await writeFile(join(outdir, "package.json"), '{"type":"module"}');
}

const run = promisify(execFile);

for (const [how, options] of bundles) {
  test(`a program ${how} finds its functions again, in a worker of the bundle and of another copy of Pawl`, async () => {
    await using place = await folder();
    await bundle(place.path, options);
    const end = options.splitting ? "js" : "mjs";
    for (const kind of ["thread", "process"]) {
      for (const answering of [
        join(place.path, `answering-${kind}.${end}`),
        fileURLToPath(fixture(`answering-${kind}.ts`)),
      ]) {
        const { stdout } = await run(process.execPath, [join(place.path, `program.${end}`), answering, kind]);
        assert.equal(stdout, '[12,"12 kg",16]\n');
      }
    }
    const answering = join(place.path, `answering-thread.${end}`);
    const unguarded = await run(process.execPath, [join(place.path, `unguarded-program.${end}`), answering]);
    assert.equal(unguarded.stdout, "pool.unguarded-main\n");
  });
}
