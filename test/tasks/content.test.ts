import { onEachDriver } from "./drivers.ts";
import { content } from "./suite/content.ts";

// Steps that have no factor in common with the number of values or of ways, so that all of them have their turn.
onEachDriver("content", (open) => content(open, [23, 151, 211]));
