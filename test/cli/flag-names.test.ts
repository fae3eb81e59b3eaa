import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { reasonWithFlags, withFlags, withFlagsOf } from "../../src/cli/options/flag-names.ts";
import { program } from "../../src/cli/program.ts";
import { optionText } from "../../src/connect/postgres/option-text.ts";
import { fc, runs } from "../random.ts";

describe("flags in place of options of the API", () => {
  it("stand for an option, for one with a value, and for a value that is a flag", () => {
    assert.equal(withFlags('`delimiter` is ",,"'), '--delimiter is ",,"');
    assert.equal(withFlags('give `encoding: "utf-16le"`'), "give --encoding utf-16le");
    assert.equal(
      withFlags("with `quote: null` or `atLeastOnce: true`"),
      "with --quote none or --at-least-once",
    );
    assert.equal(
      withFlags('`map: { "a": "-" }`, or `set: { "b\\"": "x = \\"\\u0000" }`'),
      '--map a=-, or --set b"=x = "\\u0000',
    );
  });

  it("take every value, with backticks, quotes, backslashes and braces, and leave the names before it alone", () => {
    const text = fc.string({
      unit: fc.constantFrom("`", '"', "\\", "{", "}", ":", " ", "=", "a", "u0060", "`key`", "map: { ", "é"),
    });
    fc.assert(
      fc.property(text, text, (name, value) => {
        const entry = `\`map: { ${optionText(name)}: ${optionText(value)} }\``;
        assert.equal(
          withFlags(`name it with ${entry}, or \`key\``),
          `name it with --map ${name}=${value}, or --key`,
        );
        const condition = `The condition \`updateIf: ${optionText(value)}\` does not work`;
        assert.equal(withFlags(condition), `The condition --update-if ${value} does not work`);
        assert.ok(
          withFlags(`no column for "${name}" of a.csv: ${entry}.`).endsWith(`: --map ${name}=${value}.`),
        );
      }),
      { numRuns: runs(2000) },
    );
  });

  it("do not stand for what a user wrote, in quotes", () => {
    const said = 'column "n": "the `key` of `restart: now`" is not an integer: give `decimal`';
    assert.equal(withFlags(said), said.replace("`decimal`", "--decimal"));
  });

  it("leave other texts as they are", () => {
    for (const text of ["run `npm install aws4`", "`name` is unknown", "a `delimiter", "delimiter"])
      assert.equal(withFlags(text), text);
  });

  it("are those of pawl run alone for a job in a module", () => {
    const message = "put `delimiter` right, or start over with `restart`";
    const own = withFlagsOf({ module: "file:///job.ts" }, message);
    assert.equal(own, "put `delimiter` right, or start over with --restart");
    const load = withFlagsOf({ module: "pawl:load" }, message);
    assert.equal(load, "put --delimiter right, or start over with --restart");
  });

  it("stand in reasons of Pawl's own alone", () => {
    const job = { module: "pawl:load" };
    const reason = "the `key` is wrong";
    for (const code of ["csv.value", "postgres.map"])
      assert.equal(reasonWithFlags(job, { reason, code }), "the --key is wrong", code);
    for (const code of [null, "P0001", "23505", "postgres.P0001", "mine", "item"])
      assert.equal(reasonWithFlags(job, { reason, code }), reason, `${code}`);
  });

  it("are there for every option that a message of a CSV, a table or a copy names, and are flags of a command", async () => {
    const page = await readFile(new URL("../../docs/errors.md", import.meta.url), "utf8");
    const commands = program().commands.filter((command) => /^(load|backfill|copy)$/.test(command.name()));
    const known = new Set(commands.flatMap(({ options }) => options.map(({ long }) => long)));
    let named = 0;
    for (const row of page.split("\n").filter((line) => /^\| `(csv|postgres|copy)\./.test(line))) {
      const messages = row.slice(row.indexOf("|", 2));
      for (const [option] of messages.matchAll(/`[a-zA-Z]+(?:: [^`…]+)?`/g)) {
        named++;
        const flag = withFlags(option);
        assert.ok(known.has(flag.split(" ")[0]), `${option} in ${row} is ${flag} on the command line`);
      }
    }
    assert.ok(named > 40, `${named} options are named`);
  });

  it("are found in every message of a copy that names one of its options, since each stands in backticks", async () => {
    const page = await readFile(new URL("../../docs/errors.md", import.meta.url), "utf8");
    const rows = page.split("\n").filter((line) => line.startsWith("| `copy."));
    assert.ok(rows.length > 20);
    for (const row of rows)
      assert.doesNotMatch(
        row.slice(row.indexOf("|", 2)).replaceAll(/`[^`]*`/g, ""),
        /\b(include|exclude|newer|move|restart)\b/,
      );
  });
});
