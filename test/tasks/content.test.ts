import { onEachDriver } from "./drivers.ts";
import { content } from "./suite/content.ts";

// Steps that have no factor in common with the number of values or of ways, so that all of them have their turn.
onEachDriver("content", (open, driver) =>
  // In children, content is the same to either store.
  content(open, driver === "SQLite" ? [31, 181, 241] : [43, 307, 401]),
);
