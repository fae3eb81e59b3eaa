import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { openStore } from "../../../src/store/index.ts";
import { Scene, until } from "../scene.ts";

const OBJECTS = 400;

describe("pawl copy", () => {
  let scene: Scene;
  let folder: string;

  beforeEach(async () => {
    scene = await Scene.withoutDatabase();
    folder = scene.folder;
    for (let at = 0; at < OBJECTS; at++) {
      if (at % 100 === 0) await mkdir(join(folder, "from", `${at / 100}`), { recursive: true });
      await writeFile(join(folder, "from", `${Math.floor(at / 100)}`, `${at}.txt`), `object ${at}`);
    }
  });
  afterEach(() => scene[Symbol.asyncDispose]());

  const start = (...args: string[]) => scene.start(args);
  const pawl = (...args: string[]) => scene.pawl(args);
  const copied = async () =>
    (await readdir(join(folder, "to"), { recursive: true, withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  /** Which file each published object is: one that is written again is another file. */
  const inodes = async () => {
    const found = new Map<string, bigint>();
    for (const entry of await readdir(join(folder, "to"), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.name.endsWith(".txt")) found.set(path, (await stat(path, { bigint: true })).ino);
    }
    return found;
  };

  it("goes on where it was killed: nothing is listed or written twice, and nothing is left behind", async () => {
    const first = start("copy", "from", "to", "--concurrency", "1", "--rate", "100");
    await until("objects are copied", async () => (await copied()).length > 20);
    first.child.kill("SIGKILL");
    await first.ended;
    const before = await inodes();
    assert.ok(before.size < OBJECTS);
    // What is added now is not in the listing that the run keeps.
    await writeFile(join(folder, "from", "0", "late.txt"), "late");
    // A trial leaves alone what the run keeps.
    assert.equal((await pawl("copy", "from", "to", "--dry-run")).code, 0);
    const second = await pawl("copy", "from", "to", "--json");
    assert.equal(second.code, 0, second.err);
    const { state, read, written, unchanged } = JSON.parse(second.out);
    assert.deepEqual([state, read, written + unchanged], ["succeeded", OBJECTS, OBJECTS]);
    // The kill may fall between an object's publication and the note of it, and one is under way at a time.
    assert.ok(unchanged <= 1, `${unchanged} unchanged`);
    const after = await inodes();
    assert.equal(after.size, OBJECTS);
    for (const [name, inode] of before) assert.equal(after.get(name), inode, `${name} was written twice`);
    assert.deepEqual(
      (await copied()).filter((name) => !name.endsWith(".txt")),
      [],
    );
    const third = JSON.parse((await pawl("copy", "from", "to", "--json")).out);
    assert.deepEqual([third.read, third.written, third.unchanged], [OBJECTS + 1, 1, OBJECTS]);
    assert.equal((await pawl("verify", "from", "to")).code, 0);
  });

  it("keeps to a rate, waits while it is told to, and says why", async () => {
    await writeFile(join(folder, "hold"), "");
    const waiting = start("copy", "from", "to", "--pause-file", "hold", "--include", "0/*");
    await until("it has begun", () => existsSync(join(folder, ".pawl/store.db")));
    await using store = await openStore(join(folder, ".pawl/store.db"));
    const note = async () => (await store.runs({ limit: 1 }))[0]?.note ?? "";
    await until("it waits", async () => /waiting: the file .*hold is there/.test(await note()));
    assert.deepEqual(await copied(), []);
    const attached = start("attach");
    await until("it is followed", () => /waiting: the file/.test(attached.err));
    await rm(join(folder, "hold"));
    assert.equal((await attached.ended).code, 0);
    assert.match(attached.out, /run \w+ succeeded/);
    const none = await pawl("attach");
    assert.deepEqual(
      [none.code, none.err],
      [2, "pawl: No run is under way: pawl status shows what there was.\n"],
    );
    const { code, err, out } = await waiting.ended;
    assert.equal(code, 0, err);
    assert.match(out, /run \w+ succeeded\n +read +100 objects\n +written +100\n/);
    assert.match(err, /completed 100\.00 % \(100 of 100\)/);
  });

  it("says that there is nothing, and lets no name give orders to the terminal", async () => {
    const nothing = await pawl("copy", "from", "to", "--include", "*.none");
    assert.equal(nothing.code, 0);
    assert.match(nothing.err, /There is nothing to copy in .*from: check the name and the patterns\./);
    await writeFile(join(folder, "from", "\x1b[2Jred\nline"), "");
    assert.equal((await pawl("copy", "from", "to", "--exclude", "*.txt", "--exclude", "*red*")).code, 0);
    const differs = await pawl("verify", "from", "to", "--exclude", "*.txt");
    assert.match(differs.out, /^missing {5}\\x1b\[2Jred\\nline\n/);
  });

  it("keeps what a transform prints out of the summary", async () => {
    await writeFile(
      join(folder, "says.mjs"),
      "console.log('loaded'); export default (bytes) => { console.log('called'); return bytes; }",
    );
    const args = ["--transform", "says.mjs", "--include", "1.txt", "--json"];
    const { code, out, err } = await pawl("copy", "from", "to", ...args);
    assert.equal(code, 0, err);
    assert.deepEqual([JSON.parse(out).written, err], [1, "loaded\ncalled\n"]);
  });

  it("shows what it would do, and changes nothing", async () => {
    const { code, out, err } = await pawl("copy", "from", "to", "--dry-run");
    assert.equal(code, 0, err);
    assert.match(
      out,
      /plan +about 400 objects in \d+ shards\n +one chunk +\d+ objects in .* written, 0 unchanged/,
    );
    assert.deepEqual(await readdir(folder).then((names) => names.includes("to")), false);
    assert.match((await pawl("status")).out, /no runs yet/);
  });

  it("prints what differs between two places and ends with 3", async () => {
    assert.equal((await pawl("copy", "from", "to")).code, 0);
    await rm(join(folder, "to/0/5.txt"));
    await writeFile(join(folder, "to/1/extra"), "");
    await writeFile(join(folder, "to/2/200.txt"), "object 999");
    const { code, out } = await pawl("verify", "from", "to");
    assert.equal(code, 3);
    assert.match(
      out,
      /^missing +0\/5\.txt\nextra +1\/extra\ndiffers +2\/200\.txt: the checksums are .*\n398 objects are the same/,
    );
    const json = (await pawl("verify", "from", "to", "--json")).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(json.at(-1), {
      equal: false,
      same: 398,
      missing: 1,
      extra: 1,
      differs: 1,
      unreadable: 0,
      bytes: json.at(-1).bytes,
    });
  });

  it("says which flags chose nothing", async () => {
    const { out, err } = await pawl("copy", "from", "to", "--include", "none*", "--newer", "2020-01-31");
    assert.match(
      out + err,
      /Of 400 objects that were listed none is chosen by --include "none\*" and --newer 2020-01-31T/,
    );
  });

  it("refuses what cannot be meant, in one sentence", async () => {
    for (const [args, sentence] of [
      [["copy", "nowhere", "to"], /There is no folder .*nowhere to copy from/],
      [["copy", "from", "from/sub"], /lies inside the other/],
      [["copy", "from", "gs://x"], /is not an address that Pawl knows/],
      [["copy", "from", "manifest:x.csv"], /can only be read/],
      [["copy", "manifest:x.csv", "to", "--move"], /leave out --move\./],
      [
        ["copy", "from", "to", "--exclude", "**"],
        /--exclude "\*\*" leaves nothing: --exclude goes before --include/,
      ],
      [["copy", "from", "to", "--include", "["], /--include "\[" is not a pattern/],
      [["copy", "from", "to", "--newer", "yesterday"], /--newer takes a date/],
      [["copy", "from", "to", "--newer", "2026-02-30"], /--newer takes a date/],
      [["copy", "from", "to", "--newer", "2026-13-01"], /--newer takes a date/],
      [["copy", "from", "to", "--window", "25:00-1:00"], /A time window is written like/],
      [["copy", "from", "to", "--rate", "0"], /rate must be a number above 0/],
      [["copy", "from", "to", "--concurrency", "0"], /--concurrency takes a whole number/],
      [["copy", "from", "to", "--transform", "none.ts"], /The transform .*none\.ts cannot be imported/],
      [["copy", "manifest:none.csv", "to"], /none\.csv/],
      [["verify", "from", "nowhere"], /There is no folder/],
    ] as const) {
      const { code, err } = await pawl(...args);
      assert.equal(code, 2, `${args.join(" ")}: ${err}`);
      assert.match(err, sentence);
      assert.equal(err.trim().split("\n").length, 1, err);
    }
  });
});
