import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import pMap from "p-map";

/** Runs every script called `check:…`, in the order of package.json and as many at once as there are cores. */
const description = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const checks = Object.entries(description.scripts).filter(([name]) => name.startsWith("check:"));

await pMap(
  checks,
  async ([name, command]) => {
    const running = spawn(`${command} 2>&1`, { shell: true, stdio: ["ignore", "pipe", "inherit"] });
    const [said, [code]] = await Promise.all([text(running.stdout), once(running, "close")]);
    console.log(`${code === 0 ? "✔" : "✖"} ${name}\n${said}`.trimEnd());
    if (code !== 0) process.exitCode = 1;
  },
  { concurrency: availableParallelism() },
);
