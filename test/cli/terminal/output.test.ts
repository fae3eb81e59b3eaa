import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import stringWidth from "string-width";
import { waysOut } from "../../../scripts/output/ways-out.ts";
import type { RunProgress } from "../../../src/batch/index.ts";
import { askedParams } from "../../../src/cli/runs/run.ts";
import { nextCommand } from "../../../src/cli/terminal/next-command.ts";
import { progressView } from "../../../src/cli/terminal/progress.ts";
import { PawlError } from "../../../src/errors.ts";
import { harmless, harmlessJson, jsonText, visible } from "../../../src/visible.ts";

const SEED = { seed: 20_261_127 };
/** Written another way than the code that it judges: by what Unicode calls these characters. */
const isHarmless = (text: string) =>
  text.isWellFormed() &&
  ![...text].some((c) => c !== "\n" && c !== "\t" && /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(c));

const nasty = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      "\x1b[2J",
      "\x9b31m",
      "\x1b]0;title\x07",
      "\u202e",
      "\u2066",
      "\u2028",
      "\u2029",
      "\r",
      "\0",
    ),
    fc.constantFrom(
      "\ud800",
      "\udc00",
      "👩‍🔬",
      "漢",
      "\x7f",
      "\x85",
      "\u200f",
      "\u061c",
      '"',
      "\\",
      "\n",
      "\t",
    ),
    fc.string({ maxLength: 3 }),
  ),
});

it("a terminal or a pipe that closes does not end a command, and any other error of an output does", async () => {
  const output = new URL("../../../src/cli/terminal/output.ts", import.meta.url).href;
  for (const [code, ended] of [
    ["EPIPE", 7],
    ["EIO", 7],
    ["ENOSPC", 1],
  ] as const) {
    const script = `import { tolerateClosedOutput } from ${JSON.stringify(output)};
      tolerateClosedOutput();
      for (const stream of [process.stdout, process.stderr])
        stream.emit("error", Object.assign(new Error("write"), { code: "${code}" }));
      process.exitCode = 7;`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
    const [status] = await once(child, "exit");
    assert.equal(status, ended, code);
  }
});

describe("what is said on a terminal", () => {
  it("gives it no orders, whatever it says", () => {
    fc.assert(
      fc.property(nasty, (text) => {
        assert.ok(isHarmless(harmless(text)), JSON.stringify(harmless(text)));
        assert.ok(!visible(text).includes("\n"));
      }),
      SEED,
    );
  });

  it("stays as it was where there is nothing to fear", () => {
    const text = "naïve 漢字 👩‍🔬 עברית العربية tab\there\nline";
    assert.equal(harmless(text), text);
  });

  it("is exact as JSON, and as harmless", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(nasty, nasty), fc.array(nasty)), (value) => {
        const text = jsonText(value);
        assert.ok(isHarmless(text), JSON.stringify(text));
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
        const raw = JSON.stringify(value);
        assert.deepEqual(JSON.parse(harmlessJson(raw)), JSON.parse(raw));
      }),
      SEED,
    );
  });

  it("goes through the one writer: other ways out are refused", () => {
    const found = (source: string, file = "src/cli/some.ts") => waysOut(file, source).map(({ text }) => text);
    assert.deepEqual(found("process.stdout.write('x')"), ["process.stdout"]);
    assert.deepEqual(found("process?.['stderr'].write('x')"), ["process?.['stderr']"]);
    assert.deepEqual(found("const { stdout } = process;"), ["stdout"]);
    assert.deepEqual(found("console.log(1); console['error'](2)"), ["console.log", "console['error']"]);
    assert.equal(found('import { stdout } from "node:process";').length, 1);
    assert.deepEqual(found("// console.log\nconst text = 'process.stdout'; child.stdout.on('data', f)"), []);
    assert.deepEqual(found("process.stdout.write('x')", "src/cli/terminal/output.ts"), []);
  });
});

/** A terminal of so many columns, and what was drawn on it last. */
function terminal(columns: number) {
  const stream = new PassThrough() as PassThrough & { isTTY?: boolean; columns?: number };
  Object.assign(stream, {
    isTTY: true,
    columns,
    clearLine: () => true,
    cursorTo: () => true,
    moveCursor: () => true,
  });
  let text = "";
  stream.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => text };
}

const progress = (over: Partial<RunProgress> = {}, quarantined = 1_234): RunProgress => ({
  run: "abc",
  job: "job",
  state: "running",
  note: null,
  source: "people.csv",
  unit: "rows",
  counts: {
    read: 1_512_345,
    added: 0,
    written: 1_511_111,
    unchanged: 0,
    skipped: 0,
    quarantined,
    duplicates: 0,
    bytes: 60_000_000,
  },
  items: 5_000_000,
  bytes: 200_000_000,
  planning: null,
  shards: [{ number: 0 } as RunProgress["shards"][number]],
  notes: [],
  activeMs: 1,
  peakMemoryBytes: 1,
  ...over,
});

describe("the progress of a run on a terminal", () => {
  const wide = "漢字の単位";
  const reason =
    "waiting: the load is 12.3, above 4; \x1b[2J\u202e資料庫正忙碌，請稍候再試一次，謝謝您的耐心等待";
  for (const columns of [20, 40, 60, 80, 120]) {
    for (const [what, over] of Object.entries({
      "as usual": {},
      "with a long reason": { note: reason },
      "with wide characters": { unit: wide, note: reason },
      "without a known end": { items: null, bytes: null },
    })) {
      it(`fits into ${columns} columns ${what}, and shows what failed`, async () => {
        const { stream, text } = terminal(columns);
        const view = await progressView(false, stream);
        view.update(progress(over));
        view.note("a note\x1b[31m");
        view.update(progress(over));
        view.stop();
        const lines = stripVTControlCharacters(text()).split(/[\r\n]+/);
        const drawn = lines.filter((line) => line.includes("quarantined"));
        for (const line of lines) assert.ok(stringWidth(line) < columns || line.startsWith("a note"), line);
        // At twenty columns there is room for how far it is, or for what failed, but rarely for both.
        if (columns >= 40) {
          assert.ok(drawn.length > 0, lines.join("\n"));
          for (const line of drawn) assert.match(line, /1,234 quarantined/);
          assert.match(drawn.at(-1) ?? "", /30\.24 %|1,512,345/);
        }
        assert.ok(!text().includes("\x1b[2J") && !text().includes("\x1b[31m") && !text().includes("\u202e"));
      });
    }
  }

  it("is one line every few seconds elsewhere, with all of it", async () => {
    const { stream, text } = terminal(0);
    (stream as { isTTY: boolean }).isTTY = false;
    const view = await progressView(false, stream);
    view.note("begun\u2028\x1b[2J");
    view.update(progress({ note: "waiting: \x9b2Jno" }));
    view.stop();
    assert.equal(
      text(),
      "begun\\u2028\\x1b[2J\ncompleted 30.24 % (1,512,345 of 5,000,000) · 1,234 quarantined · waiting: \\x9b2Jno\n",
    );
  });
});

describe("a command to go on with", () => {
  it("names the store that a variable named, quoted for the shell, and no password", () => {
    assert.equal(nextCommand(["quarantine", "abc"], {}), "pawl quarantine abc");
    assert.equal(nextCommand(["quarantine", "abc"], { npm_command: "exec" }), "npx pawl quarantine abc");
    assert.equal(
      nextCommand(["quarantine", "replay", "abc", "--from", "it's.csv"], {
        PAWL_STORE: "/tmp/my store/s.db",
      }),
      "PAWL_STORE='/tmp/my store/s.db' pawl quarantine replay abc --from 'it'\\''s.csv'",
    );
    assert.equal(
      nextCommand(["resume", "abc"], { PAWL_STORE: "postgres://me:secret@db/x" }),
      "pawl resume abc",
    );
    assert.equal(
      nextCommand(["resume", "abc"], { PAWL_STORE: "postgres://me@db/x" }),
      "PAWL_STORE=postgres://me@db/x pawl resume abc",
    );
  });
});

describe("a parameter of a job", () => {
  it("that the module has no use for is refused, and any other is not", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pawl-params-"));
    try {
      const path = join(folder, "job.ts");
      await writeFile(
        path,
        "export default ({ table }) => ({ transform: (row) => row.x === params.country })",
      );
      const check = async (
        given: Record<string, string>,
        use: (params: Readonly<Record<string, string>>) => unknown,
      ) => {
        const asked = askedParams(given);
        use(asked.params);
        return await asked.check(path).then(
          () => null,
          (error) => {
            assert.ok(error instanceof PawlError && error.code === "usage.param", String(error));
            return error.message;
          },
        );
      };
      const takesTable = ({ table = "people" }: Readonly<Record<string, string>>) => table;
      assert.match(
        (await check({ tabel: "x" }, takesTable)) ?? "",
        /--param tabel is not used .* asks for table/,
      );
      assert.match((await check({ toString: "x" }, takesTable)) ?? "", /--param toString/);
      assert.match((await check({ x1: "x" }, () => {})) ?? "", /--param x1 is not used by \S+: check/);
      assert.equal(await check({ table: "x" }, takesTable), null);
      assert.equal(await check({ country: "x" }, takesTable), null, "a step may ask later");
      assert.equal(await check({ any: "x" }, (params) => ({ ...params })), null);
      assert.equal(await check({ any: "x" }, (params) => JSON.stringify(params)), null);
      assert.equal(await check({}, takesTable), null);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
