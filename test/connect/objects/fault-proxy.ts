import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as open,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** What goes wrong with one request. */
export type Fault =
  /** The connection ends before the server has heard of it. */
  | { readonly kind: "refused" }
  /** The proxy answers in the server's place. */
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: string }
  /** The server does what was asked; its answer is lost with the connection. */
  | { readonly kind: "lost" }
  /** The body of the answer ends after so many bytes, with the connection. */
  | { readonly kind: "cut"; readonly after: number }
  /** The body of the answer is shorter than it was, and says so: a client that only counts what came sees nothing. */
  | { readonly kind: "short"; readonly by: number }
  /** Some bytes of the answer are others; their number is right. */
  | { readonly kind: "spoilt" }
  /** Some bytes of what is sent are others when they reach the server. */
  | { readonly kind: "spoilt-upload" }
  /** What is sent ends after so many bytes: the server sees a client that died. */
  | { readonly kind: "cut-upload"; readonly after: number }
  /** The answer's head and these bytes come, then nothing more, until the client gives up. */
  | { readonly kind: "stall"; readonly after: number }
  /** The answer comes this much later. */
  | { readonly kind: "slow"; readonly ms: number }
  /** The body of the answer, put another way. */
  | { readonly kind: "rewritten"; readonly body: (text: string) => string };

export interface Asked {
  /** From 1, in the order of arrival. */
  readonly number: number;
  readonly method: string;
  /** As sent: still escaped. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly operation: Operation;
  readonly bucket: string;
  /** Unescaped; empty for a request about the bucket. */
  readonly key: string;
}

/** What an S3 client wanted. */
export type Operation =
  | "list"
  | "get"
  | "head"
  | "put"
  | "copy"
  | "delete"
  | "begin-parts"
  | "part"
  | "complete-parts"
  | "abort-parts"
  | "tags"
  | "other";

export interface Entry {
  readonly asked: Asked;
  readonly fault: Fault | null;
  /** What the server said; null while it has said nothing, and for ever where it was not asked. */
  status: number | null;
  /** The whole answer of the server came and was passed on as it was. */
  served: boolean;
  /** Bytes of the answer's body that were passed on. */
  sent: number;
  received: number;
}

/** Says what is to go wrong with a request; null lets it pass. */
export type Decide = (asked: Asked) => Fault | null;

/**
 * An HTTP proxy in front of a real server, which lets requests fail as networks and servers do. It passes the `Host`
 * header on, so that signatures hold. What was asked, and what came of it, stands in `journal`.
 */
export class FaultProxy implements AsyncDisposable {
  readonly journal: Entry[] = [];
  decide: Decide;
  readonly #upstream: URL;
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  readonly #answers = new Set<ServerResponse>();
  readonly #clients = new Set<Socket>();

  private constructor(upstream: string, decide: Decide) {
    this.#upstream = new URL(upstream);
    this.decide = decide;
    this.#server = createServer((request, answer) => this.#serve(request, answer));
    this.#server.on("connection", (client) => {
      this.#clients.add(client);
      client.once("close", () => this.#clients.delete(client));
    });
  }

  static async start(upstream: string, decide: Decide = () => null): Promise<FaultProxy> {
    const proxy = new FaultProxy(upstream, decide);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests the server was asked and answered well. */
  done(operation: Operation): Entry[] {
    return this.journal.filter(
      ({ asked, status }) => asked.operation === operation && status !== null && status < 300,
    );
  }

  /** Resolves when no client is connected: all that one which has died sent last stands in the journal then. */
  async whenLeft(): Promise<void> {
    while (true) {
      const [client] = this.#clients;
      if (client === undefined) return;
      await new Promise((resolve) => client.once("close", resolve));
    }
  }

  async stop(): Promise<void> {
    for (const answer of this.#answers) answer.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    this.#agent.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #serve(request: IncomingMessage, answer: ServerResponse): void {
    this.#answers.add(answer);
    answer.once("close", () => this.#answers.delete(answer));
    request.on("error", () => {});
    answer.on("error", () => {});
    const asked = askedBy(request, this.journal.length + 1);
    const fault = this.decide(asked);
    const entry: Entry = { asked, fault, status: null, served: false, sent: 0, received: 0 };
    this.journal.push(entry);
    request.on("data", (piece: Buffer) => {
      entry.received += piece.length;
    });
    if (fault?.kind === "refused") {
      request.socket.destroy();
      return;
    }
    if (fault?.kind === "status") {
      request.resume();
      // As servers do: what is still being sent is read first, or the client may never see the answer.
      request.once("end", () => {
        const retry = fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter };
        const body =
          asked.method === "HEAD"
            ? ""
            : `<?xml version="1.0"?><Error><Code>${codeOf(fault.status)}</Code><Message>by the proxy</Message></Error>`;
        answer.writeHead(fault.status, { "content-type": "application/xml", ...retry }).end(body);
        entry.sent = body.length;
      });
      return;
    }
    this.#forward(request, answer, entry);
  }

  #forward(request: IncomingMessage, answer: ServerResponse, entry: Entry): void {
    const { fault } = entry;
    const upstream = open({
      agent: this.#agent,
      host: this.#upstream.hostname,
      port: this.#upstream.port,
      method: request.method,
      path: request.url,
      headers: request.headers,
      setHost: false,
    });
    upstream.on("error", () => answer.destroy());
    // A client that goes away takes its request along.
    answer.once("close", () => {
      if (!answer.writableFinished && fault?.kind !== "lost") upstream.destroy();
    });
    let sent = 0;
    request.on("data", (piece: Buffer) => {
      if (upstream.destroyed) return;
      if (fault?.kind === "cut-upload" && sent + piece.length > fault.after) {
        upstream.destroy();
        request.socket.destroy();
        return;
      }
      const passed = fault?.kind === "spoilt-upload" && sent === 0 ? spoil(piece) : piece;
      sent += piece.length;
      if (!upstream.write(passed)) {
        request.pause();
        upstream.once("drain", () => request.resume());
      }
    });
    request.once("end", () => upstream.end());
    upstream.once("response", (response) => {
      entry.status = response.statusCode ?? 0;
      response.on("error", () => answer.destroy());
      if (fault?.kind === "lost") {
        response.resume();
        response.once("end", () => request.socket.destroy());
      } else if (fault?.kind === "slow") {
        const timer = setTimeout(() => pass(response, answer, entry), fault.ms);
        answer.once("close", () => clearTimeout(timer));
      } else pass(response, answer, entry);
    });
  }
}

function pass(response: IncomingMessage, answer: ServerResponse, entry: Entry): void {
  const { fault } = entry;
  const { statusCode = 502, headers } = response;
  if (fault?.kind === "rewritten") {
    const pieces: Buffer[] = [];
    response.on("data", (piece: Buffer) => pieces.push(piece));
    response.once("end", () => {
      const body = Buffer.from(fault.body(Buffer.concat(pieces).toString()));
      entry.sent = body.length;
      answer.writeHead(statusCode, { ...headers, "content-length": body.length }).end(body);
    });
    return;
  }
  const length = Number(headers["content-length"] ?? Number.NaN);
  const end =
    fault?.kind === "cut" || fault?.kind === "stall"
      ? fault.after
      : fault?.kind === "short"
        ? Math.max(0, length - fault.by)
        : Number.POSITIVE_INFINITY;
  answer.writeHead(statusCode, fault?.kind === "short" ? { ...headers, "content-length": end } : headers);
  answer.flushHeaders();
  const over = (): void => {
    if (fault?.kind === "cut") answer.destroy();
    else if (fault?.kind === "short") answer.end();
    // A stalled one is left as it is.
  };
  if (end === 0) over();
  response.on("data", (piece: Buffer) => {
    if (entry.sent >= end) return;
    const part = piece.subarray(0, end - entry.sent);
    const passed = fault?.kind === "spoilt" && entry.sent === 0 ? spoil(part) : part;
    entry.sent += part.length;
    // What is to be cut must have left before the connection is.
    const more = answer.write(passed, () => {
      if (entry.sent >= end) over();
    });
    if (!more && entry.sent < end) {
      response.pause();
      answer.once("drain", () => response.resume());
    }
  });
  response.once("end", () => {
    if (entry.sent >= end) return;
    // A fault that never came about, because the answer was shorter, is none.
    entry.served = fault === null || fault.kind === "slow" || end !== Number.POSITIVE_INFINITY;
    answer.end();
  });
}

/** The same number of bytes; one of them is another. */
function spoil(piece: Buffer): Buffer {
  const other = Buffer.from(piece);
  const at = Math.floor(other.length / 2);
  other[at] = (other[at] ?? 0) ^ 0x55;
  return other;
}

function askedBy(request: IncomingMessage, number: number): Asked {
  const { method = "GET", url = "/", headers } = request;
  const [path = "/", search = ""] = url.split("?", 2);
  const query = new URLSearchParams(search);
  const [, bucket = "", ...rest] = path.split("/");
  const key = rest.map(unescaped).join("/");
  return {
    number,
    method,
    path,
    query,
    headers,
    operation: operationOf(method, query, headers, key),
    bucket,
    key,
  };
}

function operationOf(
  method: string,
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
  key: string,
): Operation {
  if (key === "") return method === "GET" && !query.has("uploads") ? "list" : "other";
  if (query.has("tagging")) return "tags";
  if (query.has("uploads")) return "begin-parts";
  if (query.has("uploadId")) {
    if (method === "PUT") return "part";
    return method === "DELETE" ? "abort-parts" : "complete-parts";
  }
  if (method === "PUT") return headers["x-amz-copy-source"] === undefined ? "put" : "copy";
  if (method === "GET") return "get";
  if (method === "HEAD") return "head";
  return method === "DELETE" ? "delete" : "other";
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The codes that S3 gives with these. */
function codeOf(status: number): string {
  const codes: Readonly<Record<number, string>> = {
    403: "AccessDenied",
    404: "NoSuchKey",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
  };
  return codes[status] ?? "Error";
}
