import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** What a stub was asked. */
export interface Asked {
  readonly method: string;
  /** The bucket or container. */
  readonly bucket: string;
  /** Unescaped; empty for a request about the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** An answer that is an error. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message = code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What a stub may do wrong. */
export interface Misbehaviour<ListRules> {
  /** How it lists, where not rightly. */
  readonly list?: Partial<ListRules>;
  /** What is done to a request before it is answered. */
  readonly asked?: (asked: Asked) => Asked;
  /** Another answer in the place of the right one. */
  readonly answer?: (asked: Asked, answer: Answer) => Answer;
  /** Sends an answer in a way of its own. */
  readonly send?: (asked: Asked, answer: Answer, response: ServerResponse) => boolean;
}

/**
 * A server for objects in this process and in memory: what Pawl's client asks for, and what it must notice. By default it behaves as
 * its service documents; `misbehaviour` says what it does wrong.
 */
export abstract class StubServer<ListRules> {
  /** What was asked, in order. */
  readonly journal: Asked[] = [];
  misbehaviour: Misbehaviour<ListRules> = {};
  protected readonly origin: string;
  readonly #server: Server;

  protected constructor(server: Server) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => void this.#serve(request, response));
  }

  /** A server that listens on a free port of this machine. */
  protected static async listen(): Promise<Server> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  }

  /** Splits a path into bucket and key. */
  protected abstract split(path: string): readonly [bucket: string, key: string];

  /** The right answer. Throws a Refusal where that is an error. */
  protected abstract answer(request: IncomingMessage, asked: Asked): Answer;

  protected abstract refused(refusal: Refusal): Pick<Answer, "headers" | "body">;

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {});
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    } catch {
      // A client that died: what it meant to send is not known.
      return;
    }
    const asked = this.askedBy(request, request.url ?? "/", Buffer.concat(pieces));
    this.journal.push(asked);
    const right = this.#answerOrRefusal(request, this.misbehaviour.asked?.(asked) ?? asked);
    const answer = this.misbehaviour.answer?.(asked, right) ?? right;
    if (this.misbehaviour.send?.(asked, answer, response)) return;
    // The length comes last: Node takes a disposition that stands behind it for UTF-8.
    const { "content-length": length = answer.body.length, ...headers } = answer.headers;
    response.writeHead(answer.status, { ...headers, "content-length": length });
    response.end(asked.method === "HEAD" ? undefined : answer.body);
  }

  #answerOrRefusal(request: IncomingMessage, asked: Asked): Answer {
    try {
      return this.answer(request, asked);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { headers, body } = this.refused(error);
      return { status: error.status, headers, body: asked.method === "HEAD" ? Buffer.alloc(0) : body };
    }
  }

  protected askedBy({ method = "GET", headers }: IncomingMessage, url: string, body: Buffer): Asked {
    const [path = "/", search = ""] = url.split("?", 2);
    const [bucket, key] = this.split(path);
    return {
      method,
      bucket: decodeURIComponent(bucket),
      key: decodeURIComponent(key),
      query: new URLSearchParams(search),
      headers,
      body,
    };
  }
}
