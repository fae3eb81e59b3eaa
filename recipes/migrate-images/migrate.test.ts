import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { anyPicture, makePictures, serveFolder, writeManifest } from "./gallery.ts";

const root = dirname(fileURLToPath(import.meta.resolve("pawl/package.json")));
const pawlCommand = join(root, "bin", "pawl.cjs");
const resizeModule = fileURLToPath(new URL("resize.ts", import.meta.url));
const COUNT = 16;

let folder: string;
let storage: ChildProcess;
let environment: Record<string, string>;
let provider: Server;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-recipe-"));
  storage = spawn(process.execPath, [join(root, "test/connect/objects/s3/serve.ts"), "photos"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: storage.stdout as NodeJS.ReadableStream });
  const [line] = (await once(lines, "line")) as [string];
  environment = environmentOf(JSON.parse(line));
  provider = serveFolder(join(folder, "old")).listen(0, "127.0.0.1");
  await once(provider, "listening");
});

after(async () => {
  provider.close();
  const gone = storage.exitCode === null ? once(storage, "exit") : null;
  storage.stdin?.end();
  await gone;
  await rm(folder, { recursive: true, force: true });
});

function environmentOf(access: Record<string, string>): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: access.endpoint ?? "",
    AWS_ACCESS_KEY_ID: access.accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: access.secretAccessKey ?? "",
    AWS_REGION: access.region ?? "",
  };
}

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [pawlCommand, ...args], {
    cwd: folder,
    env: { ...process.env, ...environment, PAWL_STORE: join(folder, "store.db"), PAWL_LEASE_MS: "3000" },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function pawl(...args: string[]): Promise<{ code: number; out: string }> {
  const child = start(...args);
  let out = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  const [code] = await once(child, "close");
  return { code, out };
}

async function assertAllSmall(count: number): Promise<void> {
  const back = join(folder, "back");
  await rm(back, { recursive: true, force: true });
  const { code, out } = await pawl("copy", "s3://photos/small", "back", "--restart", "--json");
  assert.equal(code, 0, out);
  const entries = await readdir(back, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  assert.equal(files.length, count);
  for (const file of files) {
    const now = await sharp(file).metadata();
    const then = await sharp(file.replace(back, join(folder, "old"))).metadata();
    assert.equal(now.format, then.format);
    assert.ok(now.width === 800 || now.height === 600, `${file}: ${now.width} × ${now.height}`);
    assert.ok(now.width <= 800 && now.height <= 600, `${file}: ${now.width} × ${now.height}`);
    await sharp(file, { failOn: "warning" }).stats();
  }
}

test("pictures move from the web to S3 and are resized on the way, over a kill; broken ones are kept", async () => {
  const base = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const names = await makePictures(join(folder, "old"), COUNT);
  await writeManifest(join(folder, "urls.csv"), base, [...names, "missing.jpeg", "../outside.jpeg"]);
  const migrate = ["copy", "manifest:urls.csv", "s3://photos/small", "--transform", resizeModule, "--json"];

  const victim = start(...migrate, "--concurrency", "2");
  const gone = once(victim, "exit");
  let asked = 0;
  provider.on("request", () => {
    if (++asked === COUNT / 2) victim.kill("SIGKILL");
  });
  await gone;

  const { code, out } = await pawl(...migrate);
  const summary = JSON.parse(out);
  assert.deepEqual(
    [code, summary.state, summary.written + summary.unchanged, summary.quarantined],
    [3, "succeeded", COUNT, 5],
  );
  await assertAllSmall(COUNT);

  const failures = (await pawl("quarantine", summary.run)).out;
  for (const reason of [
    /cut-off\.jpeg +.*premature end of JPEG image/,
    /drawing\.svg +.*it is not a JPEG, PNG or WebP picture/,
    /huge\.png +.*it has more than 50000000 pixels/,
    /missing\.jpeg +.*it is not there/,
    /outside\.jpeg +/,
  ])
    assert.match(failures, reason);

  await writeFile(join(folder, "old", "missing.jpeg"), await anyPicture(join(folder, "old")));
  const replayed = await pawl("quarantine", "replay", summary.run, "--json");
  const { written, quarantined } = JSON.parse(replayed.out);
  assert.deepEqual([replayed.code, written, quarantined], [3, 1, 4]);
  await assertAllSmall(COUNT + 1);
});
