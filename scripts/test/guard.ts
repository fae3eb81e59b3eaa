import { rm } from "node:fs/promises";

/** `node guard.ts FOLDER`: when its standard input ends, stops the PostgreSQL of that folder and removes it. */
const [home] = process.argv.slice(2);
if (home === undefined) throw new Error("name the folder of the server");
process.stdin.resume();
process.stdin.once("close", async () => {
  // Loaded only now, so that a run does not wait for it.
  const { stopEmbedded } = await import("../../src/connect/postgres/index.ts");
  await stopEmbedded(home, "immediate");
  await rm(home, { recursive: true, force: true, maxRetries: 3 });
});
