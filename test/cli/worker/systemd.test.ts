import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemdNotifier } from "../../../src/cli/worker/systemd.ts";

const { PATH } = process.env;
const ENV = { NOTIFY_SOCKET: "/run/notify" };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-notify-"));
});
afterEach(async () => {
  process.env.PATH = PATH;
  await rm(folder, { recursive: true });
});

/** A `systemd-notify` that writes what it is told into a file, and refuses the first messages. */
async function fakeNotify(refused: number): Promise<() => Promise<string[]>> {
  const log = join(folder, "log");
  await writeFile(log, "");
  await writeFile(
    join(folder, "systemd-notify"),
    `#!/bin/sh
echo "$1" >> '${log}'
if [ "$(/usr/bin/wc -l < '${log}')" -le ${refused} ]; then echo "Failed to notify: no such socket" >&2; exit 1; fi
`,
  );
  await chmod(join(folder, "systemd-notify"), 0o755);
  process.env.PATH = folder;
  return async () => (await readFile(log, "utf8")).split("\n").slice(0, -1);
}

test("systemd is told READY again until it has heard it, and the reason is said once", async () => {
  const told = await fakeNotify(2);
  const said: string[] = [];
  const notifier = SystemdNotifier.of((sentence) => said.push(sentence), ENV);
  await notifier?.ready(() => true, {});
  while ((await told()).length < 3) await sleep(20);
  await notifier?.stopping();
  assert.deepEqual(await told(), ["READY=1", "READY=1", "READY=1", "STOPPING=1"]);
  assert.deepEqual(said, ["systemd cannot be told READY=1: Failed to notify: no such socket"]);
});

test("a service that stops tells systemd no more that it is ready", async () => {
  const told = await fakeNotify(1_000);
  const notifier = SystemdNotifier.of(() => {}, ENV);
  await notifier?.ready(() => true, {});
  await notifier?.stopping();
  await sleep(700);
  assert.deepEqual(await told(), ["READY=1", "STOPPING=1"]);
});

test("a machine without systemd-notify is told so", async () => {
  process.env.PATH = folder;
  const said: string[] = [];
  const notifier = SystemdNotifier.of((sentence) => said.push(sentence), ENV);
  await notifier?.ready(() => true, {});
  await notifier?.stopping();
  assert.deepEqual(said, ["systemd cannot be told READY=1: there is no program systemd-notify in the PATH"]);
});

test("a watchdog that wants to hear nothing for longer than a timer can be set for hears little", async () => {
  const told = await fakeNotify(0);
  const notifier = SystemdNotifier.of(assert.fail, ENV);
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on("warning", warned);
  for (const WATCHDOG_USEC of ["18446744073709551615", "4294967296000001", "Infinity"])
    await notifier?.ready(() => true, { WATCHDOG_USEC });
  await sleep(300);
  process.off("warning", warned);
  await notifier?.stopping();
  assert.deepEqual(warnings, []);
  assert.deepEqual(await told(), ["READY=1", "READY=1", "READY=1", "STOPPING=1"]);
});
