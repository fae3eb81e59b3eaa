import { modelSuite } from "../model/suite.ts";
import { openTemporary } from "./open-temporary.ts";

modelSuite("SQLite", openTemporary, { clocksJump: true });
