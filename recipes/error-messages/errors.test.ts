import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const program = (name: string) => fileURLToPath(new URL(name, import.meta.url));

test("the counts are those of a plain loop, add up, and every malformed line is kept with its file and line", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pawl-errors-"));
  try {
    const quarantine = join(folder, "malformed.jsonl");
    const logs = join(folder, "logs");
    await run(process.execPath, [program("logs.ts"), logs, "4", "5000"]);
    const { stdout } = await run(process.execPath, [program("errors.ts"), logs, quarantine]);

    const counts = new Map<string, number>();
    let [lines, errors, malformed] = [0, 0, 0];
    for (const name of readdirSync(logs).sort())
      for (const line of readFileSync(join(logs, name), "utf8").trimEnd().split("\n")) {
        lines++;
        try {
          const { level, message } = JSON.parse(line) as { level: string; message: string };
          if (level !== "ERROR") continue;
          errors++;
          counts.set(message, (counts.get(message) ?? 0) + 1);
        } catch {
          malformed++;
        }
      }
    const printed = stdout.trimEnd().split("\n");
    assert.deepEqual(
      printed.slice(0, -1).map((line) => line.trim()),
      [...counts].sort(([, a], [, b]) => b - a).map(([message, times]) => `${times}  ${message}`),
    );
    assert.equal(
      printed.at(-1),
      `${lines} lines: ${errors} errors, ${lines - errors - malformed} others, ${malformed} malformed, kept in ${quarantine}`,
    );
    const kept = readFileSync(quarantine, "utf8").trimEnd().split("\n");
    assert.equal(kept.length, malformed);
    assert.match(kept[0] ?? "", /app-0\.jsonl/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
