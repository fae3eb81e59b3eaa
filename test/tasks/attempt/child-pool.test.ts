import { onEachDriver } from "../drivers.ts";
import { children, childrenByStore } from "../suite/children.ts";

onEachDriver("children", (open, driver) => {
  childrenByStore(open);
  // What a child does without end, and how it is ended, has nothing to do with the store.
  if (driver === "SQLite") children(open, ["loop", "regex", "native", "leak"]);
});
