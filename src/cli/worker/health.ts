import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { BlockList, isIP, type Socket } from "node:net";
import { environmentValue } from "../../environment.ts";
import { PawlError } from "../../errors.ts";
import type { Store } from "../../store/index.ts";
import type { RunningWorker } from "../../tasks/index.ts";
import { withTimeout } from "../../timers.ts";

/**
 * A worker that has not even tried to ask its store for so long hangs, and has to be started again. A store may take more than a
 * minute until it gives up a connection that does not answer.
 */
const HANGS_AFTER_MS = 120_000;
/** A worker whose store has not answered for so long is not ready. */
const SILENT_AFTER_MS = 10_000;
/** So long a store may take to answer a question of ours. */
const ANSWER_MS = 2_000;
/** Connections that have brought no whole request yet. A supervisor needs one or two. */
const MOST_WAITING = 32;
/** Connections whose request is answered: `/ready` waits for the store. */
const MOST_ANSWERED = 16;

/** A token as it arrives in a header: who receives it removes blanks around it, and other characters have no encoding there. */
const CARRIED = /^[!-~]([ -~]*[!-~])?$/;

/** How `pawl worker` is, for a supervisor: whether to start it again, and whether it works. */
export class WorkerCheck {
  #worker: RunningWorker | null = null;
  #store: Store | null = null;
  #stopping = false;

  /** The worker claims tasks. */
  claims(worker: RunningWorker): void {
    this.#worker = worker;
  }

  /** The process takes part in runs that are in this store. */
  takesPart(store: Store): void {
    this.#store = store;
  }

  stops(): void {
    this.#stopping = true;
  }

  /** Why the process has to be started again; null where it need not be. A store that does not answer is not a reason. */
  whyNotLive(): string | null {
    const { sinceTryMs, stopping } = this.#worker?.health() ?? { sinceTryMs: 0, stopping: false };
    if (stopping || sinceTryMs <= HANGS_AFTER_MS) return null;
    return `the worker has asked for no tasks for ${Math.round(sinceTryMs / 1000)} seconds`;
  }

  /** Why no tasks are claimed; null where they are. */
  async whyNotReady(): Promise<string | null> {
    if (this.#stopping) return "the worker stops";
    if (this.#worker !== null) {
      const { sinceClaimMs } = this.#worker.health();
      return sinceClaimMs <= SILENT_AFTER_MS ? null : "the store does not answer";
    }
    if (this.#store === null) return "the worker waits for its store";
    const answered = this.#store.now().then(
      () => true,
      () => false,
    );
    return (await withTimeout(answered, ANSWER_MS, () => false)) ? null : "the store does not answer";
  }
}

/**
 * Answers `/live` and `/ready` at an address such as `127.0.0.1:8081` with 200, or with 503 and the reason. Beyond the loopback
 * addresses it wants `Authorization: Bearer …` with the text of PAWL_HEALTH_TOKEN.
 */
export async function serveHealth(address: string, check: WorkerCheck): Promise<Server> {
  const { host, port } = parseAddress(address);
  const token = isLoopback(host) ? null : (environmentValue("PAWL_HEALTH_TOKEN") ?? "");
  if (token === "") {
    throw new PawlError(
      "usage.health",
      `--health ${address} can be reached from other machines: set PAWL_HEALTH_TOKEN, which requests have to bring, or use 127.0.0.1:${port}.`,
    );
  }
  if (token !== null && !CARRIED.test(token)) {
    throw new PawlError(
      "usage.health",
      "PAWL_HEALTH_TOKEN cannot be sent in a header: use letters, digits and punctuation of ASCII, without a blank at its beginning or end.",
    );
  }
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, async (request, response) => {
    const path = (request.url ?? "").split("?", 1)[0];
    const [status, text] = !isAllowed(request, token)
      ? [401, "the token of PAWL_HEALTH_TOKEN is missing"]
      : path === "/live"
        ? answer("live", check.whyNotLive())
        : path === "/ready"
          ? answer("ready", await check.whyNotReady())
          : [404, "there are /live and /ready"];
    response.writeHead(status, {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
      connection: "close",
    });
    response.end(`${text}\n`);
  });
  keepNewest(server);
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new PawlError(
      "usage.health",
      `--health cannot listen at ${address}: ${(error as Error).message}.`,
      {
        cause: error,
      },
    );
  }
  // It must not keep a process alive that has nothing else to do.
  server.unref();
  return server;
}

/**
 * Closes the oldest connection where there are more. A client that opens many and sends nothing takes neither the answer from the
 * supervisor nor the file descriptors from the tasks: connections whose request is answered are counted by themselves.
 */
function keepNewest(server: Server): void {
  const waiting = new Set<Socket>();
  const answered = new Set<Socket>();
  const add = (socket: Socket, sockets: Set<Socket>, most: number) => {
    sockets.add(socket);
    if (sockets.size > most) for (const oldest of sockets) return void oldest.destroy();
  };
  server.on("connection", (socket) => {
    socket.once("close", () => {
      waiting.delete(socket);
      answered.delete(socket);
    });
    add(socket, waiting, MOST_WAITING);
  });
  // Each answer closes its connection, so that none waits again.
  server.on("request", ({ socket }) => {
    waiting.delete(socket);
    add(socket, answered, MOST_ANSWERED);
  });
}

function answer(word: string, why: string | null): [status: number, text: string] {
  return why === null ? [200, word] : [503, `not ${word}: ${why}`];
}

function isAllowed(request: IncomingMessage, token: string | null): boolean {
  if (token === null) return true;
  // The name of a scheme is the same in small letters and in capitals.
  const given = Buffer.from(/^bearer +(.*)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "");
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** `host:port`, `[::1]:port`, or a port alone for 127.0.0.1. */
function parseAddress(text: string): { host: string; port: number } {
  const [, v6, name, digits] = /^(?:\[([0-9a-f:.]+)\]:|([^:\s]+):)?(\d{1,5})$/i.exec(text.trim()) ?? [];
  const port = Number(digits);
  if (digits !== undefined && port <= 65_535) return { host: v6 ?? name ?? "127.0.0.1", port };
  throw new PawlError("usage.health", `--health takes an address such as 127.0.0.1:8081, not "${text}".`);
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

function isLoopback(host: string): boolean {
  const kind = isIP(host);
  return kind === 0 ? host === "localhost" : loopback.check(host, kind === 6 ? "ipv6" : "ipv4");
}
