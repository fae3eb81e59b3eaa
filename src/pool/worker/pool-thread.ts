/** A thread of a pool. */
import { serveInThread } from "./thread.ts";

serveInThread();
