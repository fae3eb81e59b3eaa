import { modelSuite } from "./model-suite.ts";
import { openTemporary } from "./temporary.ts";

modelSuite("SQLite", openTemporary, { clocksJump: true });
