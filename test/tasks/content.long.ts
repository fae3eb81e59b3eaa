import { onEachDriver } from "./drivers.ts";
import { content } from "./suite/content.ts";

onEachDriver("every content", (open) => content(open, [1, 1, 5]));
