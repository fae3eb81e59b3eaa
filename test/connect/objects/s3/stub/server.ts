import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Access, ObjectServer } from "../access.ts";
import { S3Client } from "../client.ts";
import { Bucket, md5 } from "./bucket.ts";
import { type ListRules, rightRules } from "./listing.ts";
import { type Answer, type Asked, answerTo } from "./operations.ts";
import { S3Refusal } from "./refusal.ts";
import { assertSigned } from "./signature.ts";
import { element, text } from "./xml.ts";

/** What a stub may do wrong. */
export interface Misbehaviour {
  /** How it lists, where not rightly. */
  readonly list?: Partial<ListRules>;
  /** Another answer in the place of the right one. */
  readonly answer?: (asked: Asked, answer: Answer) => Answer;
  /** Sends an answer in a way of its own. */
  readonly send?: (asked: Asked, answer: Answer, response: ServerResponse) => boolean;
}

/**
 * An S3 server of our own, in this process and in memory: what Pawl's client asks for, and what it must notice. Signatures are
 * checked. By default it behaves as S3 documents; `misbehaviour` says what it does wrong.
 */
export class S3Stub implements ObjectServer {
  readonly access: Access;
  /** What was asked, in order. */
  readonly journal: Asked[] = [];
  misbehaviour: Misbehaviour = {};
  readonly #server: Server;
  readonly #buckets = new Map<string, Bucket>();

  private constructor(server: Server) {
    this.#server = server;
    this.access = {
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      accessKeyId: "pawl-test",
      // Must never be seen in what Pawl prints or keeps.
      secretAccessKey: "test-Secret-4417",
      region: "us-east-1",
    };
    server.on("request", (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<S3Stub> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new S3Stub(server);
  }

  client(bucket: string): S3Client {
    return new S3Client(this.access, bucket);
  }

  async bucket(name: string): Promise<S3Client> {
    this.#buckets.set(name, new Bucket());
    return this.client(name);
  }

  /** What it holds by itself, whatever it says. */
  holds(bucket: string): Record<string, string> {
    const held = this.#buckets.get(bucket) ?? new Bucket();
    return Object.fromEntries(held.keys().map((key) => [key, held.get(key)?.etag ?? ""]));
  }

  /** What goes along with an object, one character a byte. */
  headersOf(bucket: string, key: string): ReadonlyMap<string, string> {
    return new Map(Object.entries(this.#buckets.get(bucket)?.get(key)?.headers ?? {}));
  }

  /** Puts objects into a bucket without a request, each with its key as its content where no other is given. */
  fill(
    bucket: string,
    keys: readonly string[],
    content?: string | Buffer,
    headers: Record<string, string> = {},
  ): void {
    const held = this.#buckets.get(bucket) ?? new Bucket();
    this.#buckets.set(bucket, held);
    for (const key of keys) {
      const body = typeof content === "object" ? content : Buffer.from(content ?? key);
      held.set(key, { body, etag: md5(body), modified: new Date(), headers, tags: "", parts: null });
    }
  }

  async dropBucket(name: string): Promise<void> {
    this.#buckets.delete(name);
  }

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
    const asked = askedBy(request, Buffer.concat(pieces));
    this.journal.push(asked);
    const right = this.#answer(request, asked);
    const answer = this.misbehaviour.answer?.(asked, right) ?? right;
    if (this.misbehaviour.send?.(asked, answer, response)) return;
    // The length comes last: Node takes a disposition that stands behind it for UTF-8.
    const { "content-length": length = answer.body.length, ...headers } = answer.headers;
    response.writeHead(answer.status, { ...headers, "content-length": length });
    response.end(asked.method === "HEAD" ? undefined : answer.body);
  }

  #answer(request: IncomingMessage, asked: Asked): Answer {
    try {
      assertSigned(request, this.access);
      return answerTo(asked, this.#buckets, { ...rightRules, ...this.misbehaviour.list });
    } catch (error) {
      if (!(error instanceof S3Refusal)) throw error;
      const said = element("Error", element("Code", error.code) + element("Message", text(error.message)));
      return {
        status: error.status,
        headers: { "content-type": "application/xml" },
        body: Buffer.from(asked.method === "HEAD" ? "" : said),
      };
    }
  }
}

function askedBy(request: IncomingMessage, body: Buffer): Asked {
  const { method = "GET", url = "/", headers } = request;
  const [path = "/", search = ""] = url.split("?", 2);
  const [, bucket = "", ...rest] = path.split("/");
  return {
    method,
    bucket: decodeURIComponent(bucket),
    key: decodeURIComponent(rest.join("/")),
    query: new URLSearchParams(search),
    headers,
    body,
  };
}
