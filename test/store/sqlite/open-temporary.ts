import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openStore, type Store } from "../../../src/store/index.ts";
import type { StoreUnderTest } from "../conformance.ts";
import { TestClock } from "../test-clock.ts";

/** A store in a file of its own, by the test's clocks. */
export async function openTemporary(): Promise<StoreUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "pawl-store-"));
  const clock = new TestClock();
  const opened: Store[] = [];
  const reopen = async () => {
    const store = await openStore(join(folder, "state.db"), { clock });
    opened.push(store);
    return store;
  };
  const cleanup = async () => {
    for (const store of opened) await store.close();
    await rm(folder, { recursive: true });
  };
  const overwrite = async (id: string, column: string, text: string) => {
    const database = new DatabaseSync(join(folder, "state.db"), { timeout: 10_000 });
    database.prepare(`UPDATE task SET ${column} = ? WHERE id = ?`).run(text, id);
    database.close();
  };
  return { store: await reopen(), reopen, clock, overwrite, cleanup };
}
