/** A process of a pool. */
import { serveInProcess } from "./process.ts";

serveInProcess();
