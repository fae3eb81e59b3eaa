import type { IncomingHttpHeaders } from "node:http";
import { connect, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { own, setOwn } from "../../../own.ts";
import { DEFAULT_BUDGET, isTooSlow } from "./response-budget.ts";

/** What a request is sent as, once it is signed. */
export interface DirectRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface DirectResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body of a response that is not a success; empty where the bytes went into the memory of the caller. */
  readonly errorBody: Buffer;
}

export interface DirectClientOptions {
  readonly endpoint: URL;
  /** A connection on which nothing moves for so long is given up, with this error. */
  readonly silenceMs: number;
  readonly silent: () => Error;
}

/** Where an answer's head must end, and what an error may say. */
const LONGEST_HEAD = 16 * 1024;
const LONGEST_ERROR = 64 * 1024;
/** Connections that are kept while they are not used. */
const MOST_FREE = 256;

/**
 * GET requests whose bytes are received straight into memory of the caller. Node's own client allocates and copies every
 * 64 KB that come, which costs several times what receiving them does. Only for answers of the plainest kind, with their
 * length in front: for any other it says so, and the caller asks Node's.
 */
export class DirectHttpClient {
  readonly #options: DirectClientOptions;
  readonly #free: DirectConnection[] = [];
  readonly #all = new Set<DirectConnection>();

  constructor(options: DirectClientOptions) {
    this.#options = options;
  }

  /**
   * Fills `into` with what a GET gives, which must be as long. Null where the answer is of another length or kind; then
   * `into` may hold anything. Rejects with what the connection broke by.
   */
  async get(request: DirectRequest, into: Buffer): Promise<DirectResponse | null> {
    const free = this.#free.pop();
    const connection = free ?? this.#connect();
    try {
      return await connection.get(request, into);
    } catch (error) {
      // A server closes connections that have lain idle; that one was just then used says nothing about it.
      if (free === undefined || connection.hasHeard) throw error;
      return await this.#connect().get(request, into);
    }
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  #connect(): DirectConnection {
    const connection = new DirectConnection(this.#options, {
      free: () => {
        if (this.#free.length < MOST_FREE) this.#free.push(connection);
        else connection.close();
      },
      gone: () => {
        this.#all.delete(connection);
        const at = this.#free.indexOf(connection);
        if (at >= 0) this.#free.splice(at, 1);
      },
    });
    this.#all.add(connection);
    return connection;
  }
}

/** An answer that is on its way. */
interface PendingResponse {
  readonly into: Buffer;
  readonly resolve: (answer: DirectResponse | null) => void;
  readonly reject: (error: unknown) => void;
  answer: ResponseHead | null;
  readonly began: number;
  /** Where the bytes go that come next: the caller's, or those of an error. */
  body: Buffer;
  filled: number;
}

class DirectConnection {
  readonly #socket: Socket;
  readonly #events: { readonly free: () => void; readonly gone: () => void };
  readonly #head = Buffer.allocUnsafeSlow(LONGEST_HEAD);
  readonly #silent: () => Error;
  #headFilled = 0;
  #pending: PendingResponse | null = null;
  #hasHeard = false;

  constructor(
    { endpoint, silenceMs, silent }: DirectClientOptions,
    events: { readonly free: () => void; readonly gone: () => void },
  ) {
    this.#events = events;
    this.#silent = silent;
    const secure = endpoint.protocol === "https:";
    const host = endpoint.hostname.replace(/^\[(.*)\]$/, "$1");
    const options = {
      host,
      port: Number(endpoint.port || (secure ? 443 : 80)),
      noDelay: true,
      onread: {
        // Asked again before each read: the kernel writes to where the bytes belong.
        buffer: () => this.#room(),
        callback: (bytes: number) => {
          this.#take(bytes);
          return true;
        },
      },
    };
    this.#socket = secure
      ? connectSecurely({ ...options, servername: host, ALPNProtocols: ["http/1.1"] })
      : connect(options);
    this.#socket.setTimeout(silenceMs, () => this.#socket.destroy(silent()));
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => {
      this.#fail(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" }));
      events.gone();
    });
  }

  /** Whether anything of the last answer has come. */
  get hasHeard(): boolean {
    return this.#hasHeard;
  }

  get({ path, headers }: DirectRequest, into: Buffer): Promise<DirectResponse | null> {
    return new Promise((resolve, reject) => {
      this.#hasHeard = false;
      this.#headFilled = 0;
      this.#pending = {
        into,
        resolve,
        reject,
        answer: null,
        began: performance.now(),
        body: into,
        filled: 0,
      };
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      this.#socket.ref();
      this.#socket.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #room(): Buffer {
    const pending = this.#pending;
    if (pending === null || pending.answer === null) return this.#head.subarray(this.#headFilled);
    return pending.body.subarray(pending.filled);
  }

  #take(bytes: number): void {
    const pending = this.#pending;
    this.#hasHeard = true;
    if (pending === null) {
      // A response that was not asked for.
      this.close();
    } else if (pending.answer === null) {
      this.#headFilled += bytes;
      this.#takeHead(pending);
    } else if (isTooSlow(pending.filled + bytes, performance.now() - pending.began, DEFAULT_BUDGET)) {
      this.#socket.destroy(this.#silent());
    } else {
      pending.filled += bytes;
      this.#advance(pending, pending.answer);
    }
  }

  #takeHead(pending: PendingResponse): void {
    const got = this.#head.subarray(0, this.#headFilled);
    const end = got.indexOf("\r\n\r\n");
    if (end < 0 && got.length < LONGEST_HEAD) return;
    const answer = parseHead(got.toString("latin1", 0, Math.max(0, end)));
    const rest = got.subarray(end + 4);
    const body = answer === null ? null : roomFor(answer, pending.into);
    if (answer === null || body === null || rest.length > body.length) {
      this.#giveUp(pending);
      return;
    }
    pending.body = body;
    pending.filled = rest.copy(body);
    pending.answer = answer;
    this.#advance(pending, answer);
  }

  #advance({ body, filled, into, resolve }: PendingResponse, answer: ResponseHead): void {
    const chunked = isChunked(answer);
    if (chunked ? !isLastChunk(body, filled) && filled < body.length : filled < body.length) return;
    this.#pending = null;
    this.#headFilled = 0;
    if (chunked || /close/i.test(answer.headers.connection ?? "")) this.close();
    else {
      // One that is kept for later keeps no program from ending.
      this.#socket.unref();
      this.#events.free();
    }
    resolve({ ...answer, errorBody: body === into ? Buffer.alloc(0) : body.subarray(0, filled) });
  }

  #giveUp({ resolve }: PendingResponse): void {
    this.#pending = null;
    this.close();
    resolve(null);
  }

  #fail(error: unknown): void {
    const pending = this.#pending;
    this.#pending = null;
    pending?.reject(error);
  }
}

type ResponseHead = Omit<DirectResponse, "errorBody">;

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function isChunked({ headers }: ResponseHead): boolean {
  return headers["transfer-encoding"] !== undefined;
}

/** Errors mostly come in one chunk, and are short. */
function isLastChunk(body: Buffer, filled: number): boolean {
  return body.toString("latin1", Math.max(0, filled - 7), filled) === "\r\n0\r\n\r\n";
}

/** Where the bytes of an answer go; null where it is not as plain as that. An error is taken with its chunks' lengths. */
function roomFor(answer: ResponseHead, into: Buffer): Buffer | null {
  const length = plainLength(answer.headers);
  if (isSuccess(answer.status)) return length === into.length ? into : null;
  if (isChunked(answer)) return Buffer.alloc(LONGEST_ERROR);
  return length !== null && length <= LONGEST_ERROR ? Buffer.alloc(length) : null;
}

/** Null where it is not the head of a last answer in HTTP/1.1. */
function parseHead(text: string): ResponseHead | null {
  const [first = "", ...lines] = text.split("\r\n");
  const status = Number(/^HTTP\/1\.1 ([2-5]\d\d)( |$)/.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) return null;
  const headers: IncomingHttpHeaders = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    // Any other space may be half of a character.
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    // One that goes over several lines, or a length that is told twice.
    if (colon <= 0 || /\s/.test(name) || (name === "content-length" && headers[name] !== undefined))
      return null;
    const before = own(headers, name);
    setOwn(headers, name, before === undefined ? value : `${before}, ${value}`);
  }
  return { status, headers };
}

/** How many bytes come; null where only reading them would tell, or where they come in another form. */
function plainLength(headers: IncomingHttpHeaders): number | null {
  if (headers["transfer-encoding"] !== undefined) return null;
  const length = headers["content-length"] ?? "";
  return /^\d+$/.test(length) ? Number(length) : null;
}
