/** A thread of a pool. */
import { serveInThread } from "./in-thread.ts";

serveInThread();
