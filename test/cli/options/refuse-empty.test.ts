import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { refuseEmpty } from "../../../src/cli/options/usage.ts";
import { table } from "../../../src/connect/postgres/index.ts";

/** What a command with these options makes of a command line. */
function given(...args: string[]): string | null {
  let refused: string | null = null;
  const command = new Command()
    .exitOverride()
    .argument("[file...]")
    .option("--where <condition>")
    .option("--include <pattern>", "", (value: string, all: string[] = []) => [...all, value])
    .option("--null <text...>")
    .option("--delimiter <c>")
    .option("--no-header")
    .option("--on <what>", "", "update")
    .hook("preAction", (_, actual) => {
      try {
        refuseEmpty(actual);
      } catch (error) {
        refused = `${(error as { code?: string }).code} ${(error as Error).message}`;
      }
    })
    .action(() => {});
  command.parse(args, { from: "user" });
  return refused;
}

test("an option or an argument that is given without a value is refused, and none is taken for one", () => {
  for (const args of [
    ["--where", ""],
    ["--where", " \t"],
    ["--where="],
    ["--include", "*.jpg", "--include", ""],
    ["--delimiter", ""],
    ["--on", ""],
  ]) {
    assert.match(
      given(...args) ?? "taken",
      /^usage\.empty --(where|include|delimiter|on) was given/,
      args.join("|"),
    );
  }
  assert.match(given("a.csv", "") ?? "taken", /^usage\.empty <file> was given/);
  for (const args of [
    [],
    ["a.csv"],
    ["--null", ""],
    ["--delimiter", " "],
    ["--where", "true"],
    ["--no-header"],
  ]) {
    assert.equal(given(...args), null, args.join("|"));
  }
  assert.throws(() => table({ url: "postgres://x/y", table: "t", where: "" }), { code: "postgres.where" });
});

test("the words of a command are not arguments of the one above it", () => {
  let refused = false;
  const program = new Command().exitOverride().option("--store <location>");
  program.hook("preAction", (above, actual) => {
    try {
      refuseEmpty(above);
      refuseEmpty(actual);
    } catch {
      refused = true;
    }
  });
  program
    .command("load [file...]")
    .option("--null <text>")
    .action(() => {});
  program.parse(["load", "a.csv", "--null", ""], { from: "user" });
  assert.equal(refused, false);
});
