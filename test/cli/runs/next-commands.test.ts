import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, symlink } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { TestServer } from "../../connect/postgres/server.ts";
import { Scene, until } from "../scene.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const BAD = "id,name\n1,Ada\nx2,Grace\n3,Edsger\ny4,Alan\n";
const TABLE = "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)";
/** What no output may hold: it would give orders to a terminal, or turn what it shows around. */
const ORDERS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

/** The commands that a run printed, as they stand. */
function hintsOf(out: string): string[] {
  return [...out.matchAll(/^ {2}(?:see them|fix them|once fixed|continue|follow it): +(.*)$/gm)].flatMap(
    ([, text]) => {
      const commands = /(?:PAWL_STORE=|pawl ).*$/.exec(text ?? "");
      return commands === null ? [] : [commands[0]];
    },
  );
}

/** Gives a command to a shell in the scene's folder, in which pawl is found. */
async function shell(scene: Scene, command: string): Promise<{ code: number; out: string; err: string }> {
  const { PAWL_STORE: _, ...env } = process.env;
  const child = spawn(
    "sh",
    // Below npm's scripts, a printed command begins with npx, which would look for a package that is not installed here.
    ["-c", `pawl() { "${process.execPath}" "${root}/src/cli/main.ts" "$@"; }\nnpx() { "$@"; }\n${command}`],
    {
      cwd: scene.folder,
      env: { ...env, PAWL_INTO: scene.url, PAWL_LEASE_MS: "3000" },
    },
  );
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    err += text;
  });
  const [code] = (await once(child, "close")) as [number];
  return { code, out, err };
}

let server: TestServer;
before(async () => {
  server = await TestServer.shared();
});
after(() => server.stop());

describe("what a run prints to go on with", { concurrency: 2 }, () => {
  const job = (what: string) => `
    import { defineJob, ItemError } from "${root}/src/batch/index.ts";
    import { csv } from "${root}/src/connect/csv/index.ts";
    import { postgres } from "${root}/src/connect/postgres/index.ts";
    export default defineJob({ name: "people", source: csv("people.csv"), ${what}
      sink: postgres({ url: process.env.PAWL_INTO, table: "people" }) });`;
  const cases: Readonly<
    Record<string, { readonly args: (scene: Scene) => readonly string[]; readonly hints: number }>
  > = {
    "a load": { args: (scene) => ["load", "people.csv", "--table", "people", "--into", scene.url], hints: 3 },
    "a load that stopped for too many": {
      args: (scene) => [
        "load",
        "people.csv",
        "--table",
        "people",
        "--into",
        scene.url,
        "--max-quarantined",
        "0",
      ],
      hints: 4,
    },
    "a job of a module": { args: () => ["run", "job.ts"], hints: 2 },
    "a backfill": {
      args: (scene) => ["backfill", "--table", "old", "--set", "name=upper(name)", "--url", scene.url],
      hints: 2,
    },
    "a copy": { args: () => ["copy", "from", "to it's", "--include", "**"], hints: 2 },
  };
  for (const [what, { args, hints }] of Object.entries(cases)) {
    it(`after ${what} can be given to a shell as it stands`, async () => {
      await using scene = await Scene.begin(
        server,
        `${TABLE}; CREATE TABLE old (id int PRIMARY KEY, name text CHECK (name <> 'B')); INSERT INTO old VALUES (1, 'a'), (2, 'b')`,
      );
      await scene.write("people.csv", BAD);
      await scene.write("job.ts", job(""));
      await scene.write("from/a", "a");
      await mkdir(scene.path("to it's/a/b"), { recursive: true });
      const store = scene.path("a store/it's.db");
      await mkdir(scene.path("a store"));
      const env = { PAWL_STORE: store, PAWL_INTO: scene.url };
      const { out, err } = await scene.pawl(args(scene), { env });
      const printed = hintsOf(out);
      assert.equal(printed.length, hints, `${out}${err}`);
      for (const command of printed) {
        const outcome = await shell(scene, command);
        // 3: items are still bad. 2 would be a command that is refused, and 130 one that was interrupted.
        assert.ok(
          [0, 3].includes(outcome.code) || (outcome.code === 4 && hints === 4),
          `${command}: ${outcome.err}`,
        );
        assert.doesNotMatch(outcome.err, /refuse|no job|not found|unknown|no quarantined/i);
      }
    });
  }
});

describe("a load from a pipe that has fallen silent", { concurrency: 2 }, () => {
  const FIRST = `id,name\n${Array.from({ length: 4_000 }, (_, at) => `${at},${"x".repeat(300)}\n`).join("")}`;
  const REST = "4000,last\n";

  async function silent(scene: Scene) {
    const loader = scene.start(["load", "-", "--table", "people", "--into", scene.url], {
      input: FIRST,
      keepOpen: true,
    });
    await until("rows arrive", () => scene.count("people"));
    return loader;
  }

  const ways: Readonly<
    Record<string, (scene: Scene, loader: ReturnType<Scene["start"]>) => Promise<unknown>>
  > = {
    "pawl pause": (scene) => scene.pawl(["pause", "last"]),
    SIGINT: async (_, { child }) => child.kill("SIGINT"),
    SIGTERM: async (_, { child }) => child.kill("SIGTERM"),
    "SIGINT twice": async (_, loader) => {
      loader.child.kill("SIGINT");
      await until("it was heard", () => loader.err.includes("stopping") || loader.child.exitCode !== null);
      loader.child.kill("SIGINT");
    },
  };
  for (const [way, stop] of Object.entries(ways)) {
    it(`ends by ${way} though nothing comes, and goes on with the same input`, async () => {
      await using scene = await Scene.begin(server, TABLE);
      const loader = await silent(scene);
      await stop(scene, loader);
      const { code, out } = await loader.ended;
      assert.equal(code, 130);
      if (way !== "SIGINT twice") {
        assert.match(out, /paused/);
        assert.match(out, /continue: +the same command again, with the same input\n/);
        const [, written = ""] = /written +([\d,]+)/.exec(out) ?? [];
        assert.equal(Number(written.replaceAll(",", "")), await scene.count("people"));
      }
      const again = await scene.pawl(["load", "-", "--table", "people", "--into", scene.url, "--json"], {
        input: FIRST + REST,
      });
      assert.equal(again.code, 0, again.err);
      assert.equal(await scene.count("people"), 4_001);
      const { read, written, unchanged } = JSON.parse(again.out);
      assert.deepEqual([read, written, unchanged], [4_001, 4_001, 0]);
    });
  }

  it("ends for good by pawl cancel", async () => {
    await using scene = await Scene.begin(server, TABLE);
    const loader = await silent(scene);
    await scene.pawl(["cancel", "last"]);
    const { code, out } = await loader.ended;
    assert.deepEqual([code, /cancelled/.test(out)], [130, true]);
  });
});

it("names, rows and messages of strangers give no orders, wherever they are printed", async () => {
  const evil = "\x1b[2J\x9b31m\u202egnp.exe\u2028\x07\x7f";
  await using scene = await Scene.begin(server, TABLE);
  await scene.write(`${evil}.csv`, `id,name,${evil}\n1,Ada,x\n`);
  await scene.write("bad.csv", `id,name\n1${evil},Ada\n${evil},Grace\n`);
  await scene.write(`from/${evil}`, "a");
  await mkdir(scene.path(`to/${evil}/b`), { recursive: true });
  await symlink("nowhere", scene.path(`from/link${evil}`));
  await scene.write("job.ts", `throw new Error(${JSON.stringify(evil)})`);
  const load = ["--table", "people", "--into", scene.url];
  const commands = [
    ["load", `${evil}.csv`, ...load],
    ["load", `${evil}.csv`, ...load, "--dry-run", "--json"],
    ["load", "bad.csv", ...load],
    ["quarantine", "last"],
    ["quarantine", "last", "--json"],
    ["status", "last"],
    ["status", "last", "--json"],
    ["copy", "from", "to"],
    ["verify", "from", "to"],
    ["verify", "from", "to", "--json"],
    ["run", "job.ts"],
    ["run", `${evil}.ts`],
    ["load", "bad.csv", "--table", evil, "--into", scene.url],
    ["sql", `select '${evil}' as "${evil}"`, "--into", scene.url],
    ["sql", `select '${evil}' as "${evil}"`, "--into", scene.url, "--json"],
    ["sql", `select "${evil}"`, "--into", scene.url],
    ["quarantine", "replay", evil],
    [evil],
    ["load", `--${evil}`],
  ];
  for (const command of commands) {
    const { out, err } = await scene.pawl(command);
    for (const text of [out, err]) {
      assert.doesNotMatch(text.replace(/[\n\t]/g, ""), ORDERS, JSON.stringify([command, text]));
    }
    if (command.includes("--json"))
      for (const line of out.trim().split("\n").filter(Boolean))
        assert.doesNotThrow(() => JSON.parse(line), line);
  }
});
