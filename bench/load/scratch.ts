import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Server } from "./server.ts";

/** Runs `work` beside a throwaway server, and leaves no file and no process behind, also when it is interrupted. */
export async function withServer(
  parent: string,
  work: (server: Server, directory: string) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(parent, "pawl-bench-"));
  // The server may run under another account, which must be able to enter.
  chmodSync(directory, 0o755);
  const interrupted = Promise.withResolvers<never>();
  const interrupt = () => interrupted.reject(new Error("interrupted"));
  // Until the race below listens, an interruption waits.
  interrupted.promise.catch(() => {});
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  let server: Server | undefined;
  try {
    server = await Server.start(join(directory, "postgres"));
    await Promise.race([work(server, directory), interrupted.promise]);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  } finally {
    await server?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
