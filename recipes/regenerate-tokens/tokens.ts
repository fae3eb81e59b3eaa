import { randomUUID } from "node:crypto";
import { defineJob } from "pawl/batch";
import { table, update } from "pawl/connect/postgres";

const url = process.env.DATABASE_URL ?? "";

/** A new token for every ticket, decided by this program: `pawl run tokens.ts`. */
export default defineJob({
  name: "regenerate tokens",
  source: table({ url, table: "tickets", columns: ["id"] }),
  transform: ({ id }) => ({ id, token: randomUUID() }),
  sink: update({ url, table: "tickets" }),
  memory: 128 * 1024 * 1024,
});
