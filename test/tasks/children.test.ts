import { onEachDriver } from "./drivers.ts";
import { children } from "./suite/children.ts";

onEachDriver("children", children);
