import { parseDuration } from "pawl/tasks";

const { DATA = "orders", OUT = "reports" } = process.env;
const { RETRY_BASE = "60s", SOFT_LIMIT = "300s", HARD_LIMIT = "360s" } = process.env;

/** What an operator may say by environment variables; workers and their children see the same. */
export const settings = {
  /** Where the orders are. */
  data: DATA,
  /** Where reports go. */
  out: OUT,
  retryBase: parseDuration(RETRY_BASE, "RETRY_BASE"),
  softLimit: parseDuration(SOFT_LIMIT, "SOFT_LIMIT"),
  hardLimit: parseDuration(HARD_LIMIT, "HARD_LIMIT"),
};
