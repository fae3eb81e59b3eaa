import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** So many items go by, ordered and as they come. */
export function leavesHeapFlat(items: number): void {
  test(`${items} items leave the heap as flat as ten thousand`, async () => {
    const program = fileURLToPath(new URL("fixtures/many-items.ts", import.meta.url));
    for (const order of ["ordered", "as they come"]) {
      const { stdout } = await promisify(execFile)(process.execPath, [
        "--expose-gc",
        program,
        order,
        `${items}`,
      ]);
      assert.ok(stdout !== "" && Number(stdout) < 3_000_000, `${stdout} bytes more`);
    }
  });
}
