/** Stores the schedule; to be run with each deployment. Run again, it changes what is there. */
import { parseArgs } from "node:util";
import { disconnect, schedule } from "pawl/tasks";
import { night, nightFrom, TIME_ZONE } from "./tasks.ts";

const { values } = parseArgs({ options: { cron: { type: "string", default: "30 2 * * *" } } });
const { next } = await schedule("nightly", nightFrom(night.with({})), {
  cron: values.cron,
  timezone: TIME_ZONE,
  // A night that was missed because no worker ran is made up for once.
  catchUp: "last",
});
console.log(`nightly fires next at ${next === null ? "no time" : new Date(next).toISOString()}`);
await disconnect();
