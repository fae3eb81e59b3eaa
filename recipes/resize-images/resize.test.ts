import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const recipe = fileURLToPath(new URL("resize.ts", import.meta.url));
const COUNT = 12;
const REFUSED = `  cut-off.jpg: VipsJpeg: premature end of JPEG image
  drawing.svg: It is not a JPEG, PNG or WebP picture.
  huge.png: It has more pixels than --max-pixels allows.
`;

let folder: string;
let photos: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-recipe-"));
  photos = join(folder, "photos");
  assert.equal((await run("--init", photos, "--count", String(COUNT))).code, 0);
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [recipe, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = start(...args);
  const output = { stdout: "", stderr: "" };
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    output.stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    output.stderr += text;
  });
  const [code] = await once(child, "close");
  return { code, ...output };
}

async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function assertAllSmall(path: string): Promise<void> {
  const made = await filesIn(path);
  assert.equal(made.length, COUNT);
  for (const file of made) {
    const [now, then] = await Promise.all([
      sharp(file).metadata(),
      sharp(file.replace(path, photos)).metadata(),
    ]);
    assert.equal(now.format, then.format);
    assert.ok(now.width === 800 || now.height === 600, `${file}: ${now.width} × ${now.height}`);
    assert.ok(now.width <= 800 && now.height <= 600, `${file}: ${now.width} × ${now.height}`);
    // The sides keep their ratio, to a pixel.
    assert.ok(Math.abs((now.width * then.height) / then.width - now.height) <= 1);
    // All of it can be read.
    await sharp(file, { failOn: "warning" }).stats();
  }
}

test("a folder is resized by all cores; what cannot be is listed, and does not end it", async () => {
  const small = join(folder, "small");
  const { code, stdout } = await run(photos, small);
  assert.equal(stdout, `${COUNT} resized, 0 unchanged, 3 failed\n${REFUSED}`);
  assert.equal(code, 3);
  await assertAllSmall(small);
  const again = await run(photos, small);
  assert.equal(again.stdout, `0 resized, ${COUNT} unchanged, 3 failed\n${REFUSED}`);
});

test("killed half-way it leaves whole pictures only, and the same command makes the others", async () => {
  const small = join(folder, "killed");
  const whole = async () => (await filesIn(small)).filter((file) => !file.endsWith(".part"));
  const victim = start(photos, small);
  const gone = once(victim, "exit");
  while (victim.exitCode === null && (await whole()).length === 0) await sleep(5);
  victim.kill("SIGKILL");
  await gone;
  for (const file of await whole()) await sharp(file, { failOn: "warning" }).stats();
  const { code, stderr } = await run(photos, small);
  assert.equal(code, 3, stderr);
  await assertAllSmall(small);
});

test("a folder inside the one that is read is refused", async () => {
  const { code, stderr } = await run(photos, join(photos, "small"));
  assert.equal(code, 1);
  assert.match(stderr, /choose another folder/);
  await assert.rejects(stat(join(photos, "small")));
});

test("a picture is turned as its camera says, and a small one does not grow", async () => {
  const few = join(folder, "few");
  const small = join(folder, "few-small");
  await mkdir(few);
  const white = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: "white" } });
  await white(1000, 500).jpeg().withMetadata({ orientation: 6 }).toFile(join(few, "turned.jpg"));
  await white(200, 100).png().toFile(join(few, "small.png"));
  assert.equal((await run(few, small)).code, 0);
  const sizes = await Promise.all(
    ["turned.jpg", "small.png"].map(async (name) => {
      const { width, height } = await sharp(join(small, name)).metadata();
      return [width, height];
    }),
  );
  assert.deepEqual(sizes, [
    [300, 600],
    [200, 100],
  ]);
});
