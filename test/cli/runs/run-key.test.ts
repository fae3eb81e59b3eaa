import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { AnyJob } from "../../../src/batch/job/job.ts";
import { jobKey } from "../../../src/batch/run/resume.ts";
import {
  type BackfillFlags,
  backfillParams,
  refuseChangingAgain,
} from "../../../src/cli/backfill/backfill.ts";
import { backfillKey, backfillReference } from "../../../src/cli/backfill/job.ts";
import { type CopyFlags, copyParams } from "../../../src/cli/copy/copy.ts";
import { copyKey } from "../../../src/cli/copy/job.ts";
import { otherLoadNote } from "../../../src/cli/load/interrupted-loads.ts";
import { loadKey, loadReference } from "../../../src/cli/load/job.ts";
import { type LoadFlags, loadParams } from "../../../src/cli/load/load.ts";
import { program } from "../../../src/cli/program.ts";
import { publicUrl } from "../../../src/postgres-url.ts";
import { openStore } from "../../../src/store/index.ts";

/**
 * What an option does to the work that a command is. `same`: groups of command lines that are one work. `work: false`: the option
 * changes only how it is done, so that a value of it is the same work as none.
 */
interface Expectation {
  /** A command line with the option, in which `same` below is expected too. */
  readonly given: readonly string[];
  /** Options without which the others are refused or mean nothing. */
  readonly with?: readonly string[];
  /** Whether it changes what is written. */
  readonly work: boolean;
  /** Spellings of what holds without the option. */
  readonly defaults?: readonly (readonly string[])[];
  /** Other spellings of `given`. */
  readonly spellings?: readonly (readonly string[])[];
}

type Expectations = Readonly<Record<string, Expectation>>;

/** Options that every command has which begins a run: they are about this process. */
const beginning: Expectations = {
  "--dry-run": { given: ["--dry-run"], work: false },
  "--restart": { given: ["--restart"], work: false },
  "--detach": { given: ["--detach"], work: false },
  "--json": { given: ["--json"], work: false },
};

const URL_ = "postgres://ann@db.example.org/shop?sslmode=require&application_name=x";

const load: Expectations = {
  ...beginning,
  "--table": { given: ["--table", "other"], work: true, spellings: [["--table", " other "]] },
  "--into": {
    given: ["--into", URL_],
    work: true,
    defaults: [["--into", "embedded"]],
    spellings: [
      ["--into", "postgresql://ann:secret@db.example.org:5432/shop?application_name=x&sslmode=require"],
      ["--into", "postgres://ann:other@db.example.org/shop?sslmode=require&application_name=x"],
    ],
  },
  "--url": {
    given: ["--url", "postgres://db.example.org/other"],
    work: true,
    spellings: [["--into", "postgres://db.example.org/other"]],
  },
  "--key": { given: ["--key", "a,b"], work: true, spellings: [["--key", "b, a"]] },
  "--map": {
    given: ["--map", "a=x", "--map", "b=-"],
    work: true,
    defaults: [["--map", "a=a"]],
    spellings: [
      ["--map", "b=", "--map", "a= x"],
      ["--map", "b=-", "--map", "c=c", "--map", "a=x"],
    ],
  },
  "--set": {
    given: ["--set", "a=1", "--set", "b=now()"],
    work: true,
    spellings: [["--set", "b = now()", "--set", "a =1"]],
  },
  "--on-conflict": {
    given: ["--on-conflict", "ignore"],
    work: true,
    defaults: [["--on-conflict", "update"]],
  },
  "--append": { given: ["--append"], work: true, spellings: [["--append", "--on-conflict", "fail"]] },
  "--update-if": { given: ["--update-if", "true"], work: true, spellings: [["--update-if", " true"]] },
  "--delete-missing": { given: ["--delete-missing"], work: true },
  "--max-deletes": { given: ["--max-deletes", "3"], with: ["--delete-missing"], work: false },
  "--sheet": { given: ["--sheet", "x"], work: true },
  "--reset-sequence": { given: ["--reset-sequence"], work: true },
  "--create": { given: ["--create"], work: true, spellings: [["--create", "--on-conflict", "update"]] },
  "--transform": { given: ["--transform", "s.ts"], work: true, spellings: [["--transform", "./x/../s.ts"]] },
  "--delimiter": { given: ["--delimiter", "\t"], work: true, spellings: [["--delimiter", "\\t"]] },
  "--quote": { given: ["--quote", "none"], work: true, defaults: [["--quote", '"']] },
  "--escape": { given: ["--escape", "\\"], work: true, defaults: [["--escape", '"']] },
  "--loose-quotes": { given: ["--loose-quotes"], work: true },
  "--null": {
    given: ["--null", "NA", "--null", ""],
    work: true,
    defaults: [
      ["--null", ""],
      ["--null", "", "--null", ""],
    ],
    spellings: [["--null", "", "--null", "NA", "--null", ""]],
  },
  "--null-for": {
    given: ["--null-for", "a=x", "--null-for", "b=y", "--null-for", "a=z"],
    work: true,
    spellings: [["--null-for", "b=y", "--null-for", "a=z", "--null-for", "a=x", "--null-for", "a=z"]],
  },
  "--trim": { given: ["--trim"], work: true },
  "--date-order": { given: ["--date-order", "dmy"], work: true },
  "--decimal": { given: ["--decimal", ","], work: true, defaults: [["--decimal", "."]] },
  "--thousands": {
    given: ["--thousands", "."],
    work: true,
    spellings: [["--thousands", ".", "--decimal", ","]],
  },
  "--skip-lines": { given: ["--skip-lines", "2"], work: true, defaults: [["--skip-lines", "0"]] },
  "--comment": { given: ["--comment", "#"], work: true },
  "--fill-missing": { given: ["--fill-missing"], work: true },
  "--ignore-extra": { given: ["--ignore-extra"], work: true },
  "--file-column": { given: ["--file-column", "f"], work: true },
  "--line-column": { given: ["--line-column", "l"], work: true },
  "--encoding": {
    given: ["--encoding", "latin1"],
    work: true,
    defaults: [
      ["--encoding", "utf8"],
      ["--encoding", "UTF-8"],
    ],
    spellings: [["--encoding", "windows-1252"]],
  },
  "--no-header": { given: ["--no-header"], work: true },
  "--columns": { given: ["--columns", "a,b"], work: true, spellings: [["--columns", "a, b"]] },
  "--max-record": { given: ["--max-record", "1MB"], work: false },
  "--max-quarantined": { given: ["--max-quarantined", "3%"], work: false },
  "--memory": { given: ["--memory", "512MB"], work: false },
  "--concurrency": { given: ["--concurrency", "2"], work: false },
  "--unique": { given: ["--unique"], work: false },
  "--at-least-once": { given: ["--at-least-once"], work: false },
};

const backfill: Expectations = {
  ...beginning,
  "--table": { given: ["--table", "other"], work: true },
  "--url": {
    given: ["--url", URL_],
    work: true,
    defaults: [["--url", "embedded"]],
    spellings: [["--url", "postgres://ann:x@db.example.org:5432/shop?sslmode=require&application_name=x"]],
  },
  "--into": {
    given: ["--into", "postgres://db.example.org/other"],
    work: true,
    spellings: [["--url", "postgres://db.example.org/other"]],
  },
  "--set": {
    given: ["--set", "a=1", "--set", "b=2"],
    work: true,
    spellings: [["--set", "b=2", "--set", "a= 1"]],
  },
  "--where": { given: ["--where", "a is null"], work: true, spellings: [["--where", " a is null "]] },
  // The table is gone through in this order.
  "--key": { given: ["--key", "a,b"], work: true, spellings: [["--key", "a, b"]] },
  "--transform": { given: ["--transform", "s.ts"], work: true, spellings: [["--transform", "./s.ts"]] },
  "--columns": { given: ["--columns", "a,b"], work: true, spellings: [["--columns", "b, a"]] },
  "--commit-time": { given: ["--commit-time", "1s"], work: false },
  "--lock-timeout": { given: ["--lock-timeout", "3s"], work: false },
  "--statement-timeout": { given: ["--statement-timeout", "3s"], work: false },
  "--window": { given: ["--window", "22:00-06:00"], work: false },
  "--max-lag": { given: ["--max-lag", "5s"], work: false },
  "--max-active": { given: ["--max-active", "5"], work: false },
  "--max-load": { given: ["--max-load", "5"], work: false },
  "--pause-query": { given: ["--pause-query", "select true"], work: false },
  "--pause-file": { given: ["--pause-file", "f"], work: false },
  "--max-quarantined": { given: ["--max-quarantined", "1"], work: false },
  "--memory": { given: ["--memory", "512MB"], work: false },
  "--concurrency": { given: ["--concurrency", "2"], work: false },
  "--at-least-once": { given: ["--at-least-once"], work: false },
};

const copy: Expectations = {
  ...beginning,
  "--from-profile": { given: ["--from-profile", "p"], work: true },
  "--to-profile": { given: ["--to-profile", "p"], work: true },
  "--include": {
    given: ["--include", "*.jpg", "--include", "*.png"],
    work: true,
    spellings: [["--include", "*.png", "--include", "*.jpg", "--include", "*.png"]],
  },
  "--exclude": {
    given: ["--exclude", "*.jpg", "--exclude", "*.png"],
    work: true,
    spellings: [["--exclude", "*.png", "--exclude", "*.jpg"]],
  },
  "--newer": {
    given: ["--newer", "24h"],
    work: true,
    spellings: [
      ["--newer", "1d"],
      ["--newer", "1440min"],
      ["--newer", "1440m"],
    ],
  },
  "--concurrency": { given: ["--concurrency", "2"], work: false },
  "--rate": { given: ["--rate", "2"], work: false },
  "--bandwidth": { given: ["--bandwidth", "2MB"], work: false },
  "--window": { given: ["--window", "22:00-06:00"], work: false },
  "--max-load": { given: ["--max-load", "5"], work: false },
  "--pause-file": { given: ["--pause-file", "f"], work: false },
  "--transform": { given: ["--transform", "t.mjs"], work: true, spellings: [["--transform", "./t.mjs"]] },
  "--transform-timeout": { given: ["--transform-timeout", "5s"], work: false },
  "--move": { given: ["--move"], work: true },
  "--max-quarantined": { given: ["--max-quarantined", "1"], work: false },
  "--memory": { given: ["--memory", "512MB"], work: false },
};

/** As `resolveTarget` stores it, which would start the embedded server. */
const target = (into = "embedded"): string => (into === "embedded" ? into : publicUrl(into));

const commands = {
  load: {
    expectations: load,
    base: ["a.csv", "--table", "t"],
    keyOf: async ([files, flags]: [string[], LoadFlags]) =>
      loadKey({ ...(await loadParams(files, flags)), into: target(flags.into) }),
  },
  backfill: {
    expectations: backfill,
    base: ["--table", "t", "--set", "c=1"],
    keyOf: async ([flags]: [BackfillFlags]) =>
      backfillKey({ ...backfillParams(flags), into: target(flags.url) }),
  },
  copy: {
    expectations: copy,
    base: ["from", "to"],
    keyOf: async ([from, to, flags]: [string, string, CopyFlags]) => copyKey(copyParams(from, to, flags)),
  },
};

for (const [name, { expectations, base, keyOf }] of Object.entries(commands)) {
  /** The key of the run that a command line begins or resumes. */
  const key = async (args: readonly string[]): Promise<string> => {
    let given: unknown[] = [];
    const command = program().commands.find((each) => each.name() === name);
    assert.ok(command);
    command.action((...all: unknown[]) => {
      given = all;
    });
    await command.parseAsync([...base, ...args], { from: "user" });
    return await (keyOf as (given: unknown[]) => Promise<string>)(given);
  };

  describe(`the run of pawl ${name}`, () => {
    test("is asked about every option that the command declares", () => {
      const command = program().commands.find((each) => each.name() === name);
      assert.deepEqual(command?.options.map(({ long }) => long).sort(), Object.keys(expectations).sort());
    });

    test("is the same whether or not a default is said, and however an option is spelled", async () => {
      for (const [option, { given, defaults = [], spellings = [] }] of Object.entries(expectations)) {
        for (const each of defaults)
          assert.equal(await key(each), await key([]), `${option}: ${each.join(" ")}`);
        for (const each of spellings)
          assert.equal(await key(each), await key(given), `${option}: ${each.join(" ")}`);
      }
    });

    test("is another one for an option that changes what is written, and the same for one that does not", async () => {
      const plain = await key([]);
      for (const [option, { given, with: beside = [], work }] of Object.entries(expectations)) {
        const [without, having] = [await key(beside), await key([...beside, ...given])];
        assert.equal(having !== without, work, option);
      }
      const works = Object.values(expectations).filter(({ work }) => work);
      const keys = new Set(await Promise.all(works.map(({ given }) => key(given))));
      assert.equal(keys.size, works.length);
      assert.ok(!keys.has(plain));
    });
  });
}

test("every command that begins a run is one whose options are looked at here, or has a key of its own", () => {
  const begin = program().commands.filter(({ options }) => options.some(({ long }) => long === "--restart"));
  // `query` is its text and its target; `run` is what its module and --param say, and `quarantine replay` what the run that it replays was.
  assert.deepEqual(
    begin.map((each) => each.name()).sort(),
    [...Object.keys(commands), "query", "run"].sort(),
  );
});

test("the parameters of a job are the same work in whatever order they are given", () => {
  const job = { name: "sums" } as AnyJob;
  assert.equal(
    jobKey(job, { a: "1", b: { d: [2, 1], c: "3" } }),
    jobKey(job, { b: { c: "3", d: [2, 1] }, a: "1" }),
  );
  assert.notEqual(jobKey(job, { a: "1", b: { d: [2, 1] } }), jobKey(job, { a: "1", b: { d: [1, 2] } }));
});

test("a load beside an interrupted one of the same files is said to be another one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-beside-"));
  const store = await openStore(join(folder, "store.db"));
  try {
    const paramsOf = async (flags: Partial<LoadFlags>) => ({
      ...(await loadParams(["a.csv"], { table: "t", header: true, ...flags })),
      into: "embedded",
    });
    const params = await paramsOf({});
    assert.equal(await otherLoadNote(params, store), undefined);
    const job = loadReference(params, {});
    await store.createRun({ id: "abcdefghjk", job, key: loadKey(params), identity: null, details: {} });
    assert.equal(await otherLoadNote(await paramsOf({ onConflict: "update", null: [""] }), store), undefined);
    assert.equal(await otherLoadNote(await paramsOf({ table: "other" }), store), undefined);
    assert.match(
      (await otherLoadNote(await paramsOf({ key: "id" }), store)) ?? "",
      /^Run abcdefghjk loads the same into t with other options and has not ended: .*pawl resume abcdefghjk continues/,
    );
    await store.updateRun("abcdefghjk", ["pending"], { state: "cancelled" });
    assert.equal(await otherLoadNote(await paramsOf({ key: "id" }), store), undefined);
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
});

test("a limit of deletes is refused where nothing is to be deleted", async () => {
  await assert.rejects(loadParams(["f.csv"], { table: "t", maxDeletes: "3" } as LoadFlags), {
    code: "usage.max-deletes",
    message: /--delete-missing/,
  });
});

test("a backfill that is an interrupted one in other words is refused, and another one is not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-beside-"));
  const store = await openStore(join(folder, "store.db"));
  try {
    const paramsOf = (flags: Partial<BackfillFlags>) => ({
      ...backfillParams({ table: "t", set: ["v=v+1", "w='a b'"], ...flags }),
      into: "embedded",
    });
    const params = paramsOf({});
    const job = backfillReference(params, { job: { memory: 1 }, wait: {} });
    await store.createRun({ id: "abcdefghjk", job, key: backfillKey(params), identity: null, details: {} });
    const same = [
      { table: "public.t" },
      { table: '"T"' },
      { set: ["w='a b'", "v = v + 1"] },
      { set: ["v=v+1", "w = 'a b'"], where: " " },
    ];
    for (const flags of same)
      await assert.rejects(refuseChangingAgain(paramsOf(flags), store), {
        code: "usage.changing-again",
        message: /^Run abcdefghjk is the same backfill of t in other words .*pawl resume abcdefghjk/,
      });
    const others = [{}, { table: "u" }, { set: ["v=v+2"] }, { set: ["v=v+1", "w='ab'"] }, { where: "v > 1" }];
    for (const flags of others) await refuseChangingAgain(paramsOf(flags), store);
    await refuseChangingAgain({ ...paramsOf({ table: "public.t" }), into: URL_ }, store);
    await store.updateRun("abcdefghjk", ["pending"], { state: "cancelled" });
    await refuseChangingAgain(paramsOf({ table: "public.t" }), store);
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
});
