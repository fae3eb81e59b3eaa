import { execute } from "./execute.ts";
import { tolerateClosedOutput } from "./terminal/output.ts";

tolerateClosedOutput();
await execute();
