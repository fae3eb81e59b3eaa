import { onEachDriver } from "./drivers.ts";
import { children } from "./suite/children.ts";

// What a child does without end has nothing to do with the store.
onEachDriver("children", (open, driver) =>
  children(open, driver === "SQLite" ? ["loop", "regex", "native", "leak"] : ["loop"]),
);
