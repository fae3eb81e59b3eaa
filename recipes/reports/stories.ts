import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Client, connect, type TaskStatus } from "pawl/tasks";
import { Mailbox } from "./mailbox.ts";
import { makeOrders } from "./samples.ts";

const pawl = join(dirname(fileURLToPath(import.meta.resolve("pawl/package.json"))), "bin", "pawl.cjs");
const here = import.meta.dirname;
const LIMITS = { SOFT_LIMIT: "4s", HARD_LIMIT: "12s" };

/** The stories of the recipe on one kind of store, which `address` gives once, knowing a folder that ends with the tests. */
export function reports(address: (folder: string) => string | Promise<string>): void {
  let folder: string;
  const processes: ChildProcess[] = [];
  const mailbox = new Mailbox();
  const data = () => join(folder, "orders");
  let env: NodeJS.ProcessEnv;
  let client: Client;
  let url: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-reports-"));
    const store = await address(folder);
    client = connect(store);
    env = {
      ...process.env,
      PAWL_STORE: store,
      SMTP_URL: await mailbox.open(),
      DATA: data(),
      OUT: join(folder, "reports"),
      RETRY_BASE: "50ms",
      HARD_LIMIT: "300s",
      SOFT_LIMIT: "240s",
    };
    await makeOrders(data(), "north", 2_000);
    const server = start(join(here, "serve.ts"), "--port", "0");
    const ended = once(server, "exit").then(() => assert.fail("The server ended before it listened."));
    ended.catch(() => {});
    const listening = once(server.stdout?.setEncoding("utf8") as NodeJS.ReadableStream, "data");
    const [line] = await Promise.race([listening, ended]);
    url = /http:\S+(?=\/reports)/.exec(line)?.[0] ?? "";
  });

  after(async () => {
    for (const child of processes) await end(child, "SIGKILL");
    await client.close();
    await mailbox.close();
    await rm(folder, { recursive: true, force: true });
  });

  function start(...args: string[]): ChildProcess {
    const child = spawn(process.execPath, args, { env, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    child.stderr?.resume();
    processes.push(child);
    return child;
  }

  /** A worker until the end of the test. */
  function work(test: TestContext, limits: NodeJS.ProcessEnv = {}): ChildProcess {
    const all = env;
    env = { ...env, ...limits };
    const worker = start(pawl, "worker", join(here, "tasks.ts"), "--queues", "heavy:4,light:16");
    env = all;
    test.after(() => end(worker));
    return worker;
  }

  async function order(account: string, email: string, key?: string): Promise<{ code: number; id: string }> {
    const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
    const body = JSON.stringify({ account, email });
    const answer = await fetch(`${url}/reports`, { method: "POST", headers, body });
    return { code: answer.status, id: ((await answer.json()) as { id: string }).id };
  }

  /** Its status once that satisfies a condition; the test runner's time limit is the only one. */
  async function until(id: string, condition: (status: TaskStatus) => boolean): Promise<TaskStatus> {
    for (;;) {
      const status = await client.handle(id).status();
      if (status !== undefined && condition(status)) return status;
      await sleep(20);
    }
  }

  async function resultOf(id: string): Promise<{ file: string; months: number; mail: string }> {
    return await client.handle<{ file: string; months: number; mail: string }>(id).result();
  }

  it("a report is promised at once, built, seen, downloaded and mailed, once for each key", async (test) => {
    const first = await order("north", "ada@example.com", "monday");
    assert.equal(first.code, 202);
    assert.deepEqual(await order("north", "ada@example.com", "monday"), { code: 200, id: first.id });
    const waiting = (await (await fetch(`${url}/reports/${first.id}`)).json()) as TaskStatus;
    assert.deepEqual([waiting.state, waiting.progress], ["waiting", null]);
    assert.equal((await fetch(`${url}/reports/${first.id}/file`)).status, 409);

    const events = fetch(`${url}/reports/${first.id}/events`).then((answer) => answer.text());
    work(test);
    const seen = [...(await events).matchAll(/"current":(\d+)/g)].map(([, percent]) => Number(percent));
    // Some may be passed over, but none comes out of turn.
    assert.deepEqual(
      seen.filter((percent) => [0, 50, 90, 100].includes(percent)),
      [...seen].sort((a, b) => a - b),
    );
    assert.match(await events, /event: end\ndata: .*"state":"succeeded"/);

    const { months, mail, file } = await resultOf(first.id);
    assert.equal(months, 12);
    const report = await (await fetch(`${url}/reports/${first.id}/file`)).text();
    assert.equal(report, await readFile(file, "utf8"));
    const lines = report.trim().split("\n");
    assert.equal(lines[0], "month,orders,revenue,mean,largest");
    assert.equal(
      lines.slice(1).reduce((sum, line) => sum + Number(line.split(",")[1]), 0),
      2_000,
    );
    assert.deepEqual(await client.handle(mail).result(), { answer: "250 taken" });
    const letters = mailbox.letters.filter(({ to }) => to === "ada@example.com");
    assert.equal(letters.length, 1);
    assert.match(letters[0]?.text ?? "", /12 months are ready/);
  });

  it("a temporary error of the mail server is tried again, a permanent one is not", async (test) => {
    mailbox.answers((to, attempt) => {
      if (to === "gone@example.com") return { code: 550, message: "no such user" };
      return attempt <= 2 ? { code: 451, message: "greylisted" } : null;
    });
    work(test);
    const mailOf = async (to: string) => (await resultOf((await order("north", to)).id)).mail;
    const [grey, gone] = await Promise.all([mailOf("grey@example.com"), mailOf("gone@example.com")]);
    assert.deepEqual(await client.handle(grey).result(), { answer: "250 taken" });
    assert.equal(mailbox.attempts("grey@example.com"), 3);
    const { failures, attempt } = await until(grey, ({ state }) => state === "succeeded");
    assert.deepEqual([failures, attempt], [2, 3]);
    await assert.rejects(client.handle(gone).result(), /gone@example.com: .*550 no such user/);
    assert.equal(mailbox.attempts("gone@example.com"), 1);
    mailbox.answers(() => null);
  });

  it("an unknown account is not tried again, and what is not an order is refused", async (test) => {
    work(test);
    const { id } = await order("nowhere", "ada@example.com");
    const { state, attempt, error } = await until(id, (status) => status.state === "dead");
    assert.deepEqual([state, attempt, error], ["dead", 1, "There is no account nowhere."]);
    for (const body of ["", "[]", '{"account":"../etc","email":"a@b.example"}', '{"account":"north"}']) {
      const answer = await fetch(`${url}/reports`, { method: "POST", body });
      assert.equal(answer.status, 400);
      assert.match(((await answer.json()) as { error: string }).error, /build-report/);
    }
    assert.equal((await fetch(`${url}/reports/nothing`)).status, 404);
  });

  it("a worker that is killed costs the report nothing but time, and there is one mail", async (test) => {
    const [account, pipe] = slowAccount("interrupted");
    const victim = work(test);
    const { id } = await order(account, "eve@example.com");
    const writing = await open(pipe, "w");
    await writing.write("date,amount\n2025-01-01,10.00\n");
    await until(id, ({ progress }) => progress?.note === "reading");
    await end(victim, "SIGKILL");
    await writing.close();
    // Its child ends as well, a moment later.
    while (await isRead(pipe)) await sleep(20);
    work(test);
    const again = await open(pipe, "w");
    await again.write("date,amount\n2025-01-01,10.00\n2025-02-01,20.00\n");
    await again.close();
    const { months, mail } = await resultOf(id);
    assert.equal(months, 2);
    await client.handle(mail).result();
    assert.equal(mailbox.attempts("eve@example.com"), 1);
    const { failures, attempt } = await until(id, ({ state }) => state === "succeeded");
    assert.deepEqual([failures, attempt], [0, 2]);
  });

  it("a report that hangs is stopped by a cancel, and not tried again", async (test) => {
    const [account, pipe] = slowAccount("stopped");
    work(test);
    const { id } = await order(account, "ada@example.com");
    const writing = await open(pipe, "w");
    const answer = await fetch(`${url}/reports/${id}`, { method: "DELETE" });
    assert.deepEqual([answer.status, await answer.json()], [202, { cancelled: true }]);
    const { attempt, failures } = await until(id, ({ state }) => state === "cancelled");
    assert.deepEqual([attempt, failures], [1, 0]);
    await writing.close();
    assert.equal(mailbox.letters.filter(({ text }) => text.includes(account)).length, 0);
  });

  it("a slow disk ends at the soft limit, one that hangs at the hard limit, and the others go on", async (test) => {
    const [slow, pipe] = slowAccount("slow");
    const [hanging] = slowAccount("hanging");
    work(test, LIMITS);
    const [first, second] = await Promise.all([
      order(slow, "ada@example.com"),
      order(hanging, "ada@example.com"),
    ]);
    const writing = await open(pipe, "w");
    let fed = true;
    const feeding = (async () => {
      await writing.write("date,amount\n");
      while (fed) {
        await writing.write("2025-01-01,10.00\n").catch(() => {});
        await sleep(20);
      }
      await writing.close();
    })();
    const soft = await until(first.id, ({ failures }) => failures > 0);
    assert.equal(soft.error, "It ran longer than its soft limit of 4 s.");
    const hard = await until(second.id, ({ failures }) => failures > 0);
    assert.equal(hard.error, "It ran longer than its hard limit of 12 s, and its child was killed.");
    fed = false;
    await feeding;
    const neighbour = await order("north", "ada@example.com");
    assert.equal((await resultOf(neighbour.id)).months, 12);
    for (const { id } of [first, second]) await fetch(`${url}/reports/${id}`, { method: "DELETE" });
    for (const { id } of [first, second])
      await until(id, ({ state }) => !["waiting", "leased"].includes(state));
  });

  /** An account whose orders come when the test writes them. */
  function slowAccount(name: string): [account: string, pipe: string] {
    const pipe = join(data(), `${name}.csv`);
    execFileSync("rm", ["-f", pipe]);
    execFileSync("mkfifo", [pipe]);
    return [name, pipe];
  }
}

/** Whether a process has a pipe open for reading. */
async function isRead(pipe: string): Promise<boolean> {
  try {
    await (await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK)).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENXIO") return false;
    throw error;
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}
