import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chooseStore, settingsOf } from "../../src/cli/config.ts";
import { defineConfig } from "../../src/cli/index.ts";
import { openStore } from "../../src/store/index.ts";

const { PAWL_STORE } = process.env;
const home = process.cwd();
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-config-"));
  process.chdir(folder);
});
after(async () => {
  process.chdir(home);
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  delete process.env.PAWL_STORE;
});
afterEach(async () => {
  await rm(join(folder, "pawl.config.ts"), { force: true });
  if (PAWL_STORE === undefined) delete process.env.PAWL_STORE;
  else process.env.PAWL_STORE = PAWL_STORE;
});

let count = 0;
/** Writes a configuration, each into a file of its own, since Node imports a module once. */
async function config(content: string, name = `config-${count++}.ts`): Promise<string> {
  const door = pathToFileURL(join(home, "src/cli/index.ts")).href;
  await writeFile(
    join(folder, name),
    `import { defineConfig } from "${door}";\nexport default ${content};\n`,
  );
  return name;
}

const FULL = `defineConfig({
  store: "state/pawl.db",
  modules: ["tasks.ts"],
  queues: { mail: 16 },
  profiles: { production: { store: "postgres://db.example.org/jobs", queues: { mail: 64 } } },
})`;

test("without a file there are no settings, and a profile is refused", async () => {
  assert.deepEqual(await settingsOf({}), {});
  await assert.rejects(settingsOf({ profile: "production" }), { code: "config.file" });
  await assert.rejects(settingsOf({ config: "none.ts" }), { code: "usage.module" });
});

test("pawl.config.ts of the working folder is found, and its paths are those of its folder", async () => {
  await config(FULL, "pawl.config.ts");
  assert.deepEqual(await settingsOf({}), {
    store: join(process.cwd(), "state/pawl.db"),
    modules: [join(process.cwd(), "tasks.ts")],
    queues: { mail: 16 },
  });
});

test("a profile says what differs", async () => {
  assert.deepEqual(await settingsOf({ config: await config(FULL), profile: "production" }), {
    store: "postgres://db.example.org/jobs",
    modules: [join(process.cwd(), "tasks.ts")],
    queues: { mail: 64 },
  });
});

test("the command line wins over the environment, and the environment over the configuration", async () => {
  const file = await config(FULL);
  await chooseStore({ config: file });
  assert.equal(process.env.PAWL_STORE, join(process.cwd(), "state/pawl.db"));
  process.env.PAWL_STORE = "postgres://env.example.org/jobs";
  await chooseStore({ config: file });
  assert.equal(process.env.PAWL_STORE, "postgres://env.example.org/jobs");
  await chooseStore({ config: file, store: "given.db" });
  assert.equal(process.env.PAWL_STORE, join(process.cwd(), "given.db"));
});

test("env:NAME takes the store from a variable, and says which one is not set", async () => {
  const file = await config(`defineConfig({ store: "env:PAWL_TEST_URL" })`);
  delete process.env.PAWL_TEST_URL;
  await assert.rejects(settingsOf({ config: file }), {
    code: "usage.store",
    message: /PAWL_TEST_URL.*not set/,
  });
  await assert.rejects(chooseStore({ config: file }), { code: "usage.store" });
  await chooseStore({ config: file, store: "given.db" });
  assert.equal(process.env.PAWL_STORE, join(process.cwd(), "given.db"));
  delete process.env.PAWL_STORE;
  process.env.PAWL_TEST_URL = "postgres://db.example.org/x";
  assert.deepEqual(await settingsOf({ config: file }), { store: "postgres://db.example.org/x" });
  delete process.env.PAWL_TEST_URL;
});

test("an error about a store says whether the command line or the configuration named it", async () => {
  const said = async (flags: Parameters<typeof chooseStore>[0]) => {
    delete process.env.PAWL_STORE;
    await chooseStore(flags);
    const store = process.env.PAWL_STORE ?? "";
    return await openStore(store, { create: false }).catch((error: Error) => error.message);
  };
  const file = await config(`{ store: "none.db", profiles: { other: { store: "other.db" } } }`);
  assert.match(String(await said({ config: file })), new RegExp(`none\\.db, which store in ${file} names`));
  const profile = await said({ config: file, profile: "other" });
  assert.match(String(profile), new RegExp(`other\\.db, which store in ${file}, profile other, names`));
  assert.match(
    String(await said({ config: file, store: "third.db" })),
    /third\.db, which --store names: correct it/,
  );
});

test("a key that is wrong is named, with names like it", async () => {
  const refused = async (content: string, code: string, message: RegExp, profile?: string) =>
    assert.rejects(settingsOf({ config: await config(content), ...(profile ? { profile } : {}) }), {
      code,
      message,
    });
  await refused(
    `{ queus: {} }`,
    "config.key",
    /^"queus" in config-\d+\.ts is not a setting: did you mean queues\?$/,
  );
  await refused(`{ workers: 4 }`, "config.key", /the settings are store, modules, queues, profiles\.$/);
  await refused(
    `{ profiles: { a: { module: [] } } }`,
    "config.key",
    /profile a is not a setting: did you mean modules/,
  );
  await refused(FULL, "config.profile", /has no profile "prodution": did you mean production\?/, "prodution");
  await refused(FULL, "config.profile", /has no profile "__proto__": it has production\.$/, "__proto__");
  await refused(`{ store: 5 }`, "config.value", /^store in config-\d+\.ts must be a text/);
  await refused(`{ modules: "tasks.ts" }`, "config.value", /must be a list of paths/);
  await refused(`{ modules: [""] }`, "config.value", /must be a list of paths/);
  await refused(`{ queues: { mail: 0 } }`, "config.value", /^queue "mail" in .* whole number of slots/);
  await refused(
    `Promise.resolve({ store: "x.db" })`,
    "config.value",
    /^config-\d+\.ts exports a promise by default: write await/,
  );
  await refused(`{ then() {} }`, "config.value", /exports a promise by default/);
  for (const other of [
    "new (class { get store() { return 'x.db'; } })()",
    "new Map([['store', 'x.db']])",
    "[]",
    "() => ({})",
    "new Date()",
  ])
    await refused(other, "config.value", /must export a configuration by default/);
  await refused(`{ profiles: { a: new Map() } }`, "config.value", /profile a must be an object/);
  await refused(
    `{ queues: new Map([["mail", 1]]) }`,
    "config.value",
    /^queues in config-\d+\.ts must be an object/,
  );
  await refused(`null`, "config.value", /must export a configuration by default/);
});

test("a configuration that is a link to nothing is refused, and not passed over", async () => {
  await symlink(join(folder, "gone.ts"), join(folder, "pawl.config.ts"));
  await assert.rejects(settingsOf({}), {
    code: "usage.module",
    message: /is a link to a file that does not exist/,
  });
});

test("what a configuration throws when it is read is told in a sentence", async () => {
  const throws = async (content: string) =>
    await assert.rejects(settingsOf({ config: await config(content) }), {
      code: "config.value",
      message: /^config-\d+\.ts cannot be read: no secret today\.$/,
    });
  const thrower = `throw new Error("no secret today.")`;
  await throws(`{ get store() { ${thrower} } }`);
  await throws(`{ queues: { get mail() { ${thrower} } } }`);
  await throws(`new Proxy({}, { ownKeys() { ${thrower} } })`);
});

test("what a configuration prints does not stand among the results of a command", async (t) => {
  const printed: unknown[] = [];
  const told: unknown[] = [];
  t.mock.method(process.stdout, "write", (text: unknown) => printed.push(text) > 0);
  t.mock.method(process.stderr, "write", (text: unknown) => told.push(text) > 0);
  const file = await config(`(console.log("from the configuration"), process.stdout.write("x"), {})`);
  assert.deepEqual(await settingsOf({ config: file }), {});
  console.log("result");
  t.mock.restoreAll();
  // The runner of the tests writes bytes to standard output.
  const texts = printed.filter((each) => typeof each === "string");
  assert.deepEqual([texts, told], [["result\n"], ["from the configuration\n", "x"]]);
});

test("defineConfig gives back what it gets", () => {
  const given = { modules: ["a.ts"] };
  assert.equal(defineConfig(given), given);
});
