import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "commander";
import { program } from "../../src/cli/program.ts";

/** What a command line is answered with; nothing of it is run. */
async function said(...args: string[]): Promise<{ text: string; options: Record<string, unknown> | null }> {
  let text = "";
  let options: Record<string, unknown> | null = null;
  const prepare = (command: Command): void => {
    command.configureOutput({
      writeOut: (out) => (text += out),
      writeErr: (err) => (text += err),
    });
    command.action(() => {
      options = command.opts();
    });
    for (const each of command.commands) prepare(each);
  };
  const pawl = program();
  for (const each of pawl.commands) prepare(each);
  pawl.configureOutput({ writeOut: (out) => (text += out), writeErr: (err) => (text += err) });
  await pawl.parseAsync(args, { from: "user" }).catch((error: unknown) => {
    if (text === "") text = String((error as Error).message);
  });
  return { text, options };
}

test("a typo of an option is named before an option that is missing", async () => {
  assert.match((await said("load", "a.csv", "--tabel", "t")).text, /--tabel.*did you mean --table\?/);
  assert.match((await said("load", "a.csv")).text, /the option '--table <table>' is missing/);
  assert.match((await said("backfill", "--tabel", "t")).text, /--tabel.*did you mean --table\?/);
  assert.match((await said("worker", "--qeues", "a")).text, /--qeues.*did you mean --queues\?/);
  assert.match((await said("copy", "--inclde", "*.jpg")).text, /--inclde.*did you mean --include\?/);
  assert.match(
    (await said("quarantine", "replay", "last", "--form", "x")).text,
    /--form.*did you mean --from\?/,
  );
});

test("each command takes both words for the database, and not both at once", async () => {
  const url = "postgres://db.example.org/shop";
  for (const [word, ...line] of [
    ["into", "load", "a.csv", "--table", "t"],
    ["url", "backfill", "--table", "t"],
    ["url", "sql", "SELECT 1"],
    ["url", "resume", "last"],
    ["url", "quarantine", "replay", "last"],
  ] as const) {
    for (const given of ["--into", "--url"]) {
      const { options } = await said(...line, given, url);
      assert.equal(options?.[word], url, `${line.join(" ")} ${given}`);
    }
    assert.match((await said(...line, "--into", url, "--url", url)).text, /are one option/);
  }
});

test("the help lists the commands in groups, and each command has an example that parses", async () => {
  const { text } = await said("--help");
  for (const group of ["Move data:", "Runs:", "Tasks:", "Set-up:"])
    assert.match(text, new RegExp(`^${group}$`, "m"));
  assert.doesNotMatch(text, /^Commands:$/m);
  let examples = 0;
  const look = async (command: Command, path: readonly string[]): Promise<void> => {
    const { text: help } = await said(...path, "--help");
    if (command.name() !== "list") assert.match(help, /^Examples?:\n {2}\$ /m, path.join(" "));
    for (const [, line = ""] of help.matchAll(/^ {2}\$ (pawl .*)$/gm)) {
      assert.ok(line.length <= 76, `does not fit into 80 columns: ${line}`);
      const words = [...line.matchAll(/'([^']*)'|([^\s']+)/g)].map((match) => match[1] ?? match[2] ?? "");
      const end = words.findIndex((word) => /^[>|]/.test(word));
      const args = words.slice(1, end < 0 ? undefined : end);
      if (args.includes("--help")) continue;
      const { text: answer, options } = await said(...args);
      assert.ok(options !== null, `${line}: ${answer}`);
      examples++;
    }
    for (const each of command.commands) {
      if (each.name() === "complete") continue;
      await look(each, [...path, each.name()]);
    }
  };
  for (const command of program().commands)
    if (command.name() !== "complete") await look(command, [command.name()]);
  assert.ok(examples > 30, `${examples} examples`);
});
