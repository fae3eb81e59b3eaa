import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { openStore } from "../../src/store/index.ts";
import { nameStore, stateLocation, storeLocation } from "../../src/store/internal.ts";

const { PAWL_STORE } = process.env;
const home = process.cwd();
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-location-"));
  process.chdir(folder);
});
after(async () => {
  process.chdir(home);
  await rm(folder, { recursive: true });
});
afterEach(() => {
  delete process.env.PAWL_TEST_STORE;
  if (PAWL_STORE === undefined) delete process.env.PAWL_STORE;
  else process.env.PAWL_STORE = PAWL_STORE;
});

const SECRET = "s3cretpw";
const URL_OF_STORE = `postgres://u:${SECRET}@127.0.0.1:1/d`;

const WRONG: readonly (readonly [location: string, message: RegExp])[] = [
  [`"${URL_OF_STORE}"`, /has a quotation mark/],
  [`'${URL_OF_STORE}'`, /has a quotation mark/],
  [`“${URL_OF_STORE}”`, /has a quotation mark/],
  ['"state.db"', /has a quotation mark/],
  [` ${URL_OF_STORE}`, /has a blank/],
  [`${URL_OF_STORE} `, /has a blank/],
  [`\u00a0${URL_OF_STORE}`, /has a blank/],
  [`\ufeff${URL_OF_STORE}`, /has a blank/],
  ["  ", /has a blank/],
  ["a\nb.db", /a line break/],
  ["a\tb.db", /a line break/],
  ["/x/s.db\n\n", /has a blank/],
  [`\n//u:${SECRET}@h/d`, /has a blank/],
  [`jdbc:postgresql://127.0.0.1:1/d?password=${SECRET}`, /neither a path nor the URL/],
  [`postgres:/u:${SECRET}@127.0.0.1:1/d`, /neither a path nor the URL/],
  [`postgresql:u:${SECRET}@127.0.0.1:1/d`, /neither a path nor the URL/],
  [`POSTGRES:u:${SECRET}@127.0.0.1:1/d`, /neither a path nor the URL/],
  [`//u:${SECRET}@127.0.0.1:1/d`, /neither a path nor the URL/],
  [`u:${SECRET}@127.0.0.1:1/d`, /neither a path nor the URL/],
  [`host=h user=u password=${SECRET}`, /neither a path nor the URL/],
  [`host=h\u00a0password=${SECRET}`, /neither a path nor the URL/],
  ["host = h", /neither a path nor the URL/],
  [`password=${SECRET}`, /neither a path nor the URL/],
  [`env:${URL_OF_STORE}`, /neither a path nor the URL/],
  [`env:u:${SECRET}@127.0.0.1:1/d`, /neither a path nor the URL/],
  ["env:", /neither a path nor the URL/],
  [`password = ${SECRET}`, /neither a path nor the URL/],
  [`PAWL_STORE=${URL_OF_STORE}`, /neither a path nor the URL/],
  [`mysql://u:${SECRET}@127.0.0.1:1/d`, /is a mysql:\/\/ address/],
  [`jdbc:postgresql://u:${SECRET}@h/d`, /neither a path nor the URL/],
];

test("what is neither a path nor the URL of a database is refused, and its password is not shown", async () => {
  for (const [location, message] of WRONG) {
    const refused = (source: RegExp) => (error: Error & { code?: string }) => {
      assert.equal(error.code, "store.unsupported", location);
      assert.match(error.message, source);
      assert.match(error.message, message);
      assert.ok(!error.message.includes(SECRET), error.message);
      return true;
    };
    assert.throws(() => stateLocation({ PAWL_STORE: location }), refused(/^PAWL_STORE (has|is) /));
    assert.throws(() => storeLocation(location, "--store"), refused(/^--store (has|is) /));
    await assert.rejects(openStore(location), refused(/^The location of a store (has|is) /));
    process.env.PAWL_TEST_STORE = location;
    assert.throws(
      () => stateLocation({ ...process.env, PAWL_STORE: "env:PAWL_TEST_STORE" }),
      refused(/^PAWL_STORE \(env:PAWL_TEST_STORE\) (has|is) /),
    );
  }
  assert.deepEqual(await readdir(folder), []);
});

test("paths are paths, whatever characters they have", () => {
  for (const path of [
    "s.db",
    ".pawl/s.db",
    "my store.db",
    "./a:b",
    "../host=a b",
    "/x/u:p@h/s.db",
    "a@b.db",
    "host=x.db",
    "dbname=x",
    "my=x y.db",
    "C:\\x\\s.db",
  ])
    assert.equal(storeLocation(path, "--store"), path);
});

test("the working directory may have any name", { skip: process.platform === "win32" }, async () => {
  try {
    for (const name of ["a\tb", "a\nb", "it's", "\u001b[31m"]) {
      await mkdir(join(folder, name));
      process.chdir(join(folder, name));
      delete process.env.PAWL_STORE;
      const { store } = stateLocation();
      await (await openStore(store)).close();
      assert.ok(existsSync(join(folder, name, ".pawl", "store.db")));
      // A process that was started with it, and a relative path.
      assert.equal(stateLocation({ PAWL_STORE: store }).store, store);
      await (await openStore(stateLocation({ PAWL_STORE: "own.db" }).store)).close();
      assert.ok(existsSync(join(folder, name, "own.db")));
    }
  } finally {
    process.chdir(folder);
  }
});

test("PAWL_STORE may name another variable, of which a line end at its end does not count", async () => {
  process.env.PAWL_TEST_STORE = `${URL_OF_STORE}\n`;
  assert.equal(stateLocation({ ...process.env, PAWL_STORE: "env:PAWL_TEST_STORE" }).store, URL_OF_STORE);
  process.env.PAWL_TEST_STORE = "kept.db";
  await (await openStore("env:PAWL_TEST_STORE")).close();
  assert.ok(existsSync("kept.db"));
  process.env.PAWL_TEST_STORE = "";
  assert.throws(() => stateLocation({ ...process.env, PAWL_STORE: "env:PAWL_TEST_STORE" }), {
    code: "usage.store",
    message: "PAWL_STORE is env:PAWL_TEST_STORE, and that environment variable is not set.",
  });
});

test("a store that is missing is said to be named by what named it", async () => {
  const missing = async (location: string) =>
    String(await openStore(location, { create: false }).catch((error: Error) => error.message));
  const path = join(process.cwd(), "none.db");
  nameStore(path, "--store");
  assert.match(await missing(path), /none\.db, which --store names: correct it/);
  nameStore(path, "store in pawl.config.ts");
  assert.match(await missing(path), /none\.db, which store in pawl\.config\.ts names: correct it/);
  process.env.PAWL_STORE = "none.db";
  assert.match(await missing(path), /none\.db, which PAWL_STORE names: correct it/);
  delete process.env.PAWL_STORE;
  assert.match(await missing(path), /or name its store with PAWL_STORE\.$/);
});
