import { execute } from "./execute.ts";
import { tolerateClosedOutput } from "./output.ts";

tolerateClosedOutput();
await execute();
