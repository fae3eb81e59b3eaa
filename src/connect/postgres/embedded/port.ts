import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

/** The port of this directory: chosen once and kept, so that a URL stays good; another only if it is taken. */
export async function settlePort(directory: string): Promise<number> {
  const kept = await keptPort(directory);
  if (kept !== null && (await freePort(kept)) !== null) return kept;
  const port = await freePort(0);
  if (port === null) throw new Error("No free port on the loopback address.");
  await writeFile(join(directory, "port"), String(port), { mode: 0o600 });
  return port;
}

/** The port of the last start; null before the first. */
export async function keptPort(directory: string): Promise<number | null> {
  const text = await readFile(join(directory, "port"), "utf8").catch(() => "");
  return Number(text) || null;
}

/** The port if it can be had now (0 asks for any), otherwise null. */
function freePort(port: number): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const probe = createServer();
  probe.once("error", () => resolve(null));
  probe.listen({ port, host: "127.0.0.1" }, () => {
    const address = probe.address();
    const got = typeof address === "object" && address !== null ? address.port : null;
    probe.close(() => resolve(got));
  });
  return promise;
}
