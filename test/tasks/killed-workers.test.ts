import { onEachDriver } from "./drivers.ts";
import { killing } from "./suite/killing.ts";

onEachDriver("killed workers", killing);
