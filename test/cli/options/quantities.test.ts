import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Command } from "commander";
import {
  parseCount,
  parseNumber,
  parsePositiveDuration,
  parseSize,
  parseTime,
} from "../../../src/cli/options/parse.ts";
import { program } from "../../../src/cli/program.ts";
import { millisecondsOf } from "../../../src/durations.ts";
import { PawlError } from "../../../src/errors.ts";
import { bytesOf } from "../../../src/sizes.ts";
import { openStore } from "../../../src/store/index.ts";

/** What is neither a number nor a quantity, whatever an option takes. */
const never = [
  "-5",
  "1e9",
  "NaN",
  "Infinity",
  "0x10",
  "5,5",
  "5 bananas",
  "5 5",
  "٥",
  "five",
  "99999999999999999999",
];

/** What an option refuses by what its help says it takes, and what else is asked of the command line. */
const refused: Readonly<Record<string, readonly string[]>> = {
  size: [...never, "5", "0", "0MB", "-5MB", "1e9B", "5,5MB", "5 bananas", "0.1B", "5bps", "9999999999999TB"],
  time: [...never, "5", "0", "-5s", "1e9s", "5,5s", "5S", "5 weeks", "9999999d"],
  "time|size": [...never, "5", "0", "0s", "0MB", "-5s", "5M", "5k", "100", "5,5MB", "1e9B", "5Mbit"],
  n: [...never, "1.5", "5s", "5MB"],
  "n|n%": [...never, "1.5", "5s", "101%", "-1%", "1e1%", "5%%"],
};

/** These take a number that need not be whole. */
const fractions = ["--rate", "--max-load"];
/** No time is none at all there. */
const mayBeZero = ["--drain"];

/** Command lines that need no more than the option that is tried. */
const lines: Readonly<Record<string, readonly string[]>> = {
  load: ["load", "a.csv", "--table", "t"],
  backfill: ["backfill", "--table", "t", "--set", "a=1"],
  copy: ["copy", "from", "to"],
  query: ["query", "select 1"],
  show: ["show", "a.csv"],
  convert: ["convert", "a.csv", "b.parquet"],
  worker: ["worker", "no-module.ts"],
};

/** Every command, with the words that call it. */
function commandsOf(command: Command, words: readonly string[] = []): [words: readonly string[], Command][] {
  return command.commands.flatMap((each) => {
    const called = [...words, each.name()];
    const within = commandsOf(each, called);
    return each.options.length === 0 ? within : [[called, each], ...within];
  });
}

describe("an option that takes a size, a time or a number", () => {
  let folder = "";
  const { PAWL_STORE } = process.env;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-units-"));
    process.env.PAWL_STORE = join(folder, "store.db");
    await (await openStore(process.env.PAWL_STORE)).close();
  });

  after(async () => {
    if (PAWL_STORE === undefined) delete process.env.PAWL_STORE;
    else process.env.PAWL_STORE = PAWL_STORE;
    await rm(folder, { recursive: true, force: true });
  });

  test("refuses what has no unit, is nothing, or cannot be meant, in one sentence that names it", async () => {
    let tried = 0;
    for (const [words, command] of commandsOf(program())) {
      for (const option of command.options) {
        const [, takes = ""] = /<([^>]+)>/.exec(option.flags) ?? [];
        const values = refused[takes];
        if (values === undefined || option.long == null) continue;
        const line = lines[words.join(" ")] ?? words;
        for (const value of values) {
          if (value === "1.5" && fractions.includes(option.long)) continue;
          if (value === "0" && mayBeZero.includes(option.long)) continue;
          const given = [...line, `${option.long}=${value}`];
          await assert.rejects(
            program().parseAsync(given, { from: "user" }),
            (error: unknown) => {
              assert.ok(error instanceof PawlError, `${given.join(" ")}: ${String(error)}`);
              assert.ok(error.message.includes(option.long ?? ""), `${given.join(" ")}: ${error.message}`);
              assert.equal(error.message.split("\n").length, 1);
              return true;
            },
            given.join(" "),
          );
          tried++;
        }
      }
    }
    assert.ok(tried > 200, `${tried} were tried`);
  });
});

test("sizes and times are taken in every usual spelling", () => {
  const MB = 1024 ** 2;
  for (const [text, bytes] of [
    ["5MB", 5 * MB],
    ["5 MB", 5 * MB],
    ["5Mb", 5 * MB],
    ["5mib", 5 * MB],
    [" 5m ", 5 * MB],
    ["1.5GB", 1536 * MB],
    ["2TiB", 2 * MB * MB],
    ["100B", 100],
    ["64k", 65_536],
  ] as const)
    assert.equal(parseSize(text, "--memory"), bytes, text);
  for (const [text, ms] of [
    ["200ms", 200],
    ["5s", 5_000],
    ["1.5 min", 90_000],
    ["2m", 120_000],
    ["2min", 120_000],
    ["3h", 10_800_000],
    ["7d", 604_800_000],
  ] as const) {
    assert.equal(parsePositiveDuration(text, "--lease"), ms, text);
    assert.equal(parseTime(text, "--newer"), ms, text);
  }
  for (const name of ["constructor", "toString", "__proto__", ""]) {
    assert.ok(Number.isNaN(bytesOf(`5${name}`)), name);
    assert.ok(Number.isNaN(millisecondsOf(`5${name}`)), name);
  }
  assert.equal(parseTime("2026-01-31", "--newer"), "2026-01-31T00:00:00.000Z");
  assert.equal(parseTime("2026-01-31T10:00:00+02:00", "--newer"), "2026-01-31T08:00:00.000Z");
  // JavaScript takes each of these for a day.
  for (const text of [
    "5",
    "2026",
    "1/2/2026",
    "01.02.2026",
    "May 5",
    "foo 5",
    "2026-02-30",
    "2026-01-31 25:00",
  ])
    assert.throws(() => parseTime(text, "--newer"), { code: "usage.time" }, text);
  assert.equal(parseCount("0", "--prefetch", 0), 0);
  assert.equal(parseNumber("1.5", "--rate"), 1.5);
});

test("a time of day without a zone is UTC, whatever the machine's zone is", (t) => {
  const { TZ } = process.env;
  t.after(() => {
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
  });
  for (const zone of ["UTC", "Asia/Kolkata", "America/New_York"]) {
    process.env.TZ = zone;
    for (const text of [
      "2026-11-28T11:30",
      "2026-11-28 11:30",
      "2026-11-28T11:30:00",
      "2026-11-28 13:30+02:00",
    ])
      assert.equal(parseTime(text, "--newer"), "2026-11-28T11:30:00.000Z", `${text} in ${zone}`);
  }
});

test("a time of more than 1,000 years is told from one that cannot be read", () => {
  assert.throws(() => parseTime("500000d", "--older"), {
    code: "usage.time",
    message: '--older must be at most 1,000 years, not "500000d".',
  });
});
