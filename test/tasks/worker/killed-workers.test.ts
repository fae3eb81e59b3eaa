import { onEachDriver } from "../drivers.ts";
import { killing, stopping } from "../suite/killing.ts";

onEachDriver("killed workers", (open, driver) => {
  killing(open);
  // What a signal does to the processes has nothing to do with the store.
  if (driver === "SQLite") stopping(open);
});
