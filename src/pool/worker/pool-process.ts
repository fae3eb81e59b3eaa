/** A process of a pool. */
import { serveInProcess } from "./in-process.ts";

serveInProcess();
