import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { Scene, until } from "./scene.ts";

const batch = new URL("../../src/batch/index.ts", import.meta.url).href;

test("a program that was asked to end ends though a server does not answer, and says so at once to a terminal", async () => {
  await using scene = await Scene.withoutDatabase();
  await writeFile(scene.path("people.csv"), "id\n1\n");
  await writeFile(
    scene.path("job.ts"),
    `import { writeFileSync } from "node:fs";
    import { defineJob } from ${JSON.stringify(batch)};
    import { csv } from ${JSON.stringify(new URL("../../src/connect/csv/index.ts", import.meta.url).href)};
    const never = () => { writeFileSync("writing", ""); setInterval(() => {}, 1e6); return new Promise(() => {}); };
    const sink = { guarantee: "idempotent", ordering: { kind: "any" }, notes: [], finalize: async () => {}, close: async () => {},
      writer: async () => ({ checkpoint: null, write: never, finish: async () => {}, close: async () => {} }) };
    export default defineJob({ name: "hangs", source: csv("people.csv"), sink: { open: async () => sink } });`,
  );
  const running = scene.start(["run", "job.ts"], { env: { PAWL_STOP_MS: "300" } });
  await until("it writes", () => existsSync(scene.path("writing")));
  running.child.kill("SIGINT");
  await until("it says that it is late", () => running.err.includes("Ctrl-C again ends it at once"));
  running.child.kill("SIGTERM");
  assert.equal((await running.ended).code, 130);
  await rm(scene.path("writing"));
  const again = scene.start(["resume", "last"], { env: { PAWL_STOP_MS: "300" } });
  await until("it writes again", () => existsSync(scene.path("writing")));
  again.child.kill("SIGTERM");
  const { code, err } = await again.ended;
  assert.deepEqual([code, /ends now, although something does not answer/.test(err)], [130, true], err);
});
