import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { configureObjects, get, objectStats, put, type Ref } from "../../../src/pool/index.ts";
import { childProcess, thread } from "./worker.ts";

const KIB = 1024;

/** Objects go here past `memory`, until the test ends. */
function quota(test: TestContext, memory: number): string {
  const directory = mkdtempSync(join(tmpdir(), "pawl-quota-"));
  configureObjects({ memory, directory });
  test.after(() => {
    configureObjects({ memory: 2 ** 30 });
    rmSync(directory, { recursive: true });
  });
  return directory;
}

function column(value: number): Float64Array {
  return new Float64Array(KIB / 8).fill(value);
}

function fixture(name: string): string {
  return new URL(`./fixtures/${name}`, import.meta.url).pathname;
}

/** The files in all private directories under a directory. */
function filesUnder(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => readdirSync(join(directory, name)));
}

/** Lets go of the objects of a test. */
function disposeAll(refs: Iterable<Ref<unknown>>): void {
  for (const ref of refs) ref.dispose();
}

test("past the quota the objects used longest ago go to files, and come back when they are got", (t) => {
  const before = objectStats();
  const directory = quota(t, before.bytesInMemory + 4.5 * KIB);
  const refs = Array.from({ length: 4 }, (_, i) => put(column(i)));
  assert.equal(objectStats().spills, before.spills);
  get(refs[0] as Ref<Float64Array>);
  refs.push(put(column(4)), put({ rows: 1, columns: [column(5)] } as never));
  assert.equal(filesUnder(directory).length, 2);
  assert.equal(objectStats().spills, before.spills + 2);
  assert.ok(objectStats().bytesInMemory <= before.bytesInMemory + 4.5 * KIB);
  for (const [i, ref] of refs.slice(0, 5).entries()) assert.deepEqual(get(ref), column(i));
  assert.deepEqual(get(refs[5] as Ref<unknown>), { rows: 1, columns: [column(5)] });
  assert.ok(objectStats().bytesInMemory <= before.bytesInMemory + 4.5 * KIB);
  disposeAll(refs);
  const { refs: left, bytesInMemory, bytesSpilled } = objectStats();
  assert.deepEqual(
    { left, bytesInMemory, bytesSpilled },
    {
      left: before.refs,
      bytesInMemory: before.bytesInMemory,
      bytesSpilled: 0,
    },
  );
  assert.deepEqual(filesUnder(directory), []);
});

test("the directory for spilled objects and its files are for this user alone", (t) => {
  const directory = quota(t, 0);
  const refs = [put(column(1)), put(column(2))];
  const [own = ""] = readdirSync(directory);
  const [file = ""] = readdirSync(join(directory, own));
  assert.equal(statSync(join(directory, own)).mode & 0o777, 0o700);
  assert.equal(statSync(join(directory, own, file)).mode & 0o777, 0o600);
  disposeAll(refs);
});

test("a view that is held is the one that is got, spilled or not", (t) => {
  quota(t, 0);
  const refs = [put(column(1)), put({ plain: "object" })] as const;
  const view = get(refs[0]);
  const object = get(refs[1]);
  configureObjects({ memory: 0 });
  assert.equal(get(refs[0]), view);
  assert.equal(get(refs[1]), object);
  disposeAll(refs);
});

test("a lower quota spills at once what is too much", (t) => {
  const directory = quota(t, 2 ** 30);
  const refs = [put(column(1)), put("text"), put(undefined)];
  configureObjects({ memory: 0 });
  assert.equal(filesUnder(directory).length, 3);
  assert.deepEqual(
    refs.map((ref) => get(ref as Ref<unknown>)),
    [column(1), "text", undefined],
  );
  disposeAll(refs);
});

test("values over memory that was shared already are not moved", (t) => {
  const directory = quota(t, 0);
  const ref = put([new Float64Array(new SharedArrayBuffer(64)), column(1)]);
  configureObjects({ memory: 0 });
  assert.equal(get(ref), get(ref));
  assert.deepEqual(readdirSync(directory), []);
  ref.dispose();
});

test("threads and processes get what is spilled", async (t) => {
  quota(t, 0);
  const refs = [put(column(1)), put(column(2))];
  configureObjects({ memory: 0 });
  for (const worker of [thread(t), childProcess(t)]) {
    for (const [index, ref] of refs.entries()) assert.equal(await worker.ask("sum", ref), 128 * (index + 1));
    await worker.ask("keep", refs[0]);
    assert.equal(await worker.ask("sumOfKept"), 128);
  }
  disposeAll(refs);
});

test("a thread that holds a ref gets its value though it was spilled since", async (t) => {
  quota(t, 2 ** 30);
  const ref = put(column(1));
  const worker = thread(t);
  await worker.ask("keep", ref);
  configureObjects({ memory: 0 });
  assert.equal(await worker.ask("sumOfKept"), 128);
  assert.equal(await worker.ask("sum", ref), 128);
  ref.dispose();
  await assert.rejects(async () => worker.ask("sumOfKept"), { code: "pool.ref-disposed" });
});

test("what a thread made and spilled outlives the thread", async (t) => {
  const directory = quota(t, 2 ** 30);
  const worker = thread(t);
  const ref = (await worker.ask("makeAndSpill", directory)) as Ref<Float64Array>;
  worker.tell("exit");
  await worker.ended;
  assert.equal(get(ref)[999], 2);
  assert.equal(filesUnder(directory).length, 1);
  ref.dispose();
  assert.deepEqual(filesUnder(directory), []);
});

test("a file that was removed is named", (t) => {
  const directory = quota(t, 0);
  const ref = put(column(1));
  configureObjects({ memory: 0 });
  const [own = ""] = readdirSync(directory);
  for (const file of readdirSync(join(directory, own))) rmSync(join(directory, own, file));
  assert.throws(() => get(ref), { name: "PawlError", code: "pool.ref-lost", message: new RegExp(own) });
  ref.dispose();
});

test("options that cannot be are named", (t) => {
  for (const memory of [-1, Number.NaN]) {
    assert.throws(() => configureObjects({ memory }), {
      name: "PawlError",
      code: "argument.size",
    });
  }
  const directory = quota(t, 2 ** 30);
  const ref = put(column(1));
  writeFileSync(join(directory, "file"), "");
  assert.throws(() => configureObjects({ memory: 0, directory: join(directory, "file/in") }), {
    name: "TransientError",
    code: "pool.objects-full",
  });
  assert.deepEqual(get(ref), column(1));
  ref.dispose();
});

const mayMount = process.platform === "linux" && canMount();

function canMount(): boolean {
  try {
    execFileSync("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("a full disk is told in one sentence, and nothing is lost", { skip: !mayMount }, (t) => {
  const directory = quota(t, 2 ** 30);
  const script = 'mount -t tmpfs -o size=2560k tmpfs "$1" && exec "$2" "$3" "$1"';
  const args = ["-rm", "sh", "-c", script, "sh", directory, process.execPath, fixture("small-disk.ts")];
  const told = JSON.parse(execFileSync("unshare", args, { encoding: "utf8" }));
  assert.deepEqual([told.name, told.code], ["TransientError", "pool.objects-full"]);
  assert.match(told.message, /^4 MB of put objects .* 3\.5 MB.*no space is left.*: make room there/);
  // Two on the disk, three in memory; the one that was refused is not among them.
  assert.deepEqual(told.values, [0, 1, 2, 3, 4]);
  assert.deepEqual([told.before.refs, told.left], [5, []]);
});

test("forgotten refs let go of memory and files, and are counted", (t) => {
  const directory = quota(t, 2 ** 30);
  const out = execFileSync(process.execPath, ["--expose-gc", fixture("leak.ts"), directory], {
    encoding: "utf8",
  });
  const { bytesInMemory, sharedMiB, ...rest } = JSON.parse(out);
  assert.deepEqual(rest, { refs: 1, disposed: 10, leaked: 90, spilledFiles: 1, published: false, kept: 1 });
  assert.ok(bytesInMemory < 2 ** 21, `${bytesInMemory} bytes`);
  // 64 of them make V8 collect garbage, and are not there in truth.
  assert.ok(sharedMiB < 64 + 8, `${sharedMiB} MiB`);
});

test("a program that ends removes its directory, and that of a thread", (t) => {
  const directory = quota(t, 2 ** 30);
  for (const end of ["by itself", "thread"]) {
    execFileSync(process.execPath, [fixture("leave-files.ts"), directory, end]);
    assert.deepEqual(readdirSync(directory), []);
  }
});

test("the next program removes what a killed one left, and nothing of the living", async (t) => {
  const directory = quota(t, 2 ** 30);
  const start = async () => {
    const child = spawn(process.execPath, [fixture("leave-files.ts"), directory, "killed"]);
    t.after(() => child.kill("SIGKILL"));
    await once(child.stdout, "data");
    return child;
  };
  const [killed] = [await start(), await start()];
  assert.equal(readdirSync(directory).length, 2);
  killed.kill("SIGKILL");
  await once(killed, "exit");
  assert.equal(readdirSync(directory).length, 2);
  execFileSync(process.execPath, [fixture("leave-files.ts"), directory, "by itself"]);
  const left = readdirSync(directory);
  assert.equal(left.length, 1);
  assert.ok(existsSync(join(directory, left[0] as string)));
});
