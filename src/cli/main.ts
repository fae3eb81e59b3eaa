import { execute } from "./program.ts";
import { tolerateClosedOutput } from "./terminal/output.ts";

tolerateClosedOutput();
await execute();
