import { join } from "node:path";
import { describe } from "node:test";
import { reports } from "./stories.ts";

/** The same on PostgreSQL are in reports.long.ts. */
describe("reports on SQLite", () => reports((folder) => join(folder, "store.db")));
