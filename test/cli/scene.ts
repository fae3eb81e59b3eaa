import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { RunSummary } from "../../src/batch/index.ts";
import { findRun, readProgress, summaryOf } from "../../src/batch/internal.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { TestClient, type TestServer } from "../connect/postgres/server.ts";
import { runInHost } from "./host.ts";

/** Shared by all commands of the tests, so that each need not strip the types of the same sources again. */
const compileCache = join(tmpdir(), "pawl-test-compile-cache");
const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface Invocation {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Buffer;
  /** Leaves standard input open behind the input. */
  readonly keepOpen?: boolean;
}

/** A command of pawl under way. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
  err = "";
  out = "";

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.out += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.err += text;
    });
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => resolve({ code, signal, out: this.out, err: this.err }));
    });
  }
}

/** Whether a command leaves nothing in its process for the next: it imports no module of the user's and starts nothing. */
function mayShareProcess(args: readonly string[]): boolean {
  const leaves = ["run", "worker", "postgres"];
  // What goes on with a job imports its module; with --into it goes on with a load, which seldom has one.
  if (!args.includes("--into")) leaves.push("resume");
  const flags = ["--transform", "--detach", "--memory"];
  if (args[1] === "replay" && !args.includes("--into")) return false;
  return !leaves.includes(args[0] ?? "") && !flags.some((flag) => args.includes(flag));
}

/** A folder and a database of its own, in which pawl is used as a person would. */
export class Scene implements AsyncDisposable {
  readonly folder: string;
  readonly url: string;
  readonly #server: TestServer | null;
  readonly #running = new Set<Running>();

  private constructor(folder: string, url: string, server: TestServer | null) {
    this.folder = folder;
    this.url = url;
    this.#server = server;
  }

  /** A folder alone: the database's URL leads nowhere. */
  static async withoutDatabase(): Promise<Scene> {
    return new Scene(await mkdtemp(join(tmpdir(), "pawl-cli-")), "postgres://127.0.0.1:1/none", null);
  }

  /** `sql` makes the tables. */
  static async begin(server: TestServer, sql = ""): Promise<Scene> {
    const url = await server.createDatabase();
    const scene = new Scene(await mkdtemp(join(tmpdir(), "pawl-cli-")), url, server);
    if (sql !== "") await scene.query(sql);
    return scene;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, content: string | Buffer): Promise<string> {
    await mkdir(dirname(this.path(name)), { recursive: true });
    await writeFile(this.path(name), content);
    return name;
  }

  read(name: string): Promise<string> {
    return readFile(this.path(name), "utf8");
  }

  /** Of the commands. */
  environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    return {
      ...process.env,
      NODE_COMPILE_CACHE: compileCache,
      PAWL_STORE: this.path(".pawl/store.db"),
      PAWL_LEASE_MS: "3000",
      ...more,
    };
  }

  start(args: readonly string[], { env = {}, input, keepOpen = false }: Invocation = {}): Running {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: this.folder,
      env: this.environment(env),
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    child.stdin?.on("error", () => {});
    if (keepOpen) child.stdin?.write(input ?? "");
    else child.stdin?.end(input);
    const running = new Running(child);
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  /** A command up to its end, in a process of its own only where that makes a difference. */
  pawl(args: readonly string[], invocation?: Invocation): Promise<Outcome> {
    if (invocation?.input !== undefined || !mayShareProcess(args)) return this.start(args, invocation).ended;
    return runInHost({ args, cwd: this.folder, env: this.environment(invocation?.env) });
  }

  /** `pawl load … --into` this scene's database. */
  load(args: readonly string[], invocation?: Invocation): Promise<Outcome> {
    return this.pawl(["load", ...args, "--into", this.url], invocation);
  }

  startLoad(args: readonly string[], invocation?: Invocation): Running {
    return this.start(["load", ...args, "--into", this.url], invocation);
  }

  /** Looks into the store that the commands use, without a process for it. Null while there is none. */
  async stored<T>(
    look: (store: Store) => Promise<T>,
    address = this.path(".pawl/store.db"),
  ): Promise<T | null> {
    const store = await openStore(address, { create: false }).catch((error: { readonly code?: string }) => {
      if (error.code === "store.missing") return null;
      throw error;
    });
    if (store === null) return null;
    try {
      return await look(store);
    } finally {
      await store.close();
    }
  }

  /** What `pawl status RUN --json` tells of a run. Null while there is none. */
  status(run = "last"): Promise<RunSummary | null> {
    return this.stored(async (store) => {
      if ((await store.runs({ limit: 1 })).length === 0) return null;
      return summaryOf(await readProgress(store, await findRun(store, run)));
    });
  }

  async query<Row = Record<string, unknown>>(sql: string): Promise<Row[]> {
    await using client = await TestClient.connect(this.url);
    return await client.query<Row>(sql);
  }

  async count(table: string): Promise<number> {
    const [row] = await this.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
    return row?.n ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#running) child.kill("SIGKILL");
    await Promise.all([...this.#running].map(({ ended }) => ended));
    await this.#server?.giveBack(this.url);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Asks again until `look` gives something true; fails after ten minutes, which only what never comes takes. */
export async function until<T>(what: string, look: () => Promise<T> | T): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + 600_000; Date.now() < deadline; await sleep(50)) {
    const seen = await look();
    if (seen) return seen;
  }
  throw new Error(`Waited in vain until ${what}.`);
}

/** Writes a file piece by piece, so that a large one needs no memory. */
export async function writeLarge(path: string, pieces: Iterable<string | Buffer>): Promise<void> {
  const out = createWriteStream(path);
  for (const piece of pieces) {
    if (!out.write(piece)) await new Promise<void>((resolve) => out.once("drain", () => resolve()));
  }
  await new Promise<void>((resolve) => out.end(resolve));
}
