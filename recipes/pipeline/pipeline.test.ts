import { join } from "node:path";
import { describe } from "node:test";
import { pipeline } from "./stories.ts";

/** The same on PostgreSQL are in pipeline.long.ts. */
describe("the nightly pipeline on SQLite", () => pipeline((folder) => join(folder, "store.db")));
