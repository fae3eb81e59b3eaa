import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tasksSuite } from "./suite.ts";

tasksSuite("SQLite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-tasks-"));
  return {
    address: join(folder, "state.db"),
    cleanup: () => rm(folder, { recursive: true, force: true }),
  };
});
