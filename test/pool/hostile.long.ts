import { spoils } from "./fixtures/hostile.ts";
import { holdsUpNothing } from "./spoiling.ts";

for (const isolate of ["thread", "process"] as const) holdsUpNothing(isolate, spoils);
