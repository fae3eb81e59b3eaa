import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AzureAccess, BlobServer } from "../access.ts";
import { AzureTestClient } from "../client.ts";
import {
  type Answer,
  type Asked,
  answerTo,
  type BlobListRules,
  BlobRefusal,
  Container,
} from "./operations.ts";
import { assertAllowed } from "./signature.ts";

/** What a stub may do wrong. */
export interface BlobMisbehaviour {
  /** How it lists, where not rightly. */
  readonly list?: Partial<BlobListRules>;
  /** Another answer in the place of the right one. */
  readonly answer?: (asked: Asked, answer: Answer) => Answer;
  /** What is done to a request before it is answered. */
  readonly asked?: (asked: Asked) => Asked;
}

const ACCOUNT = "pawltest";

/**
 * A Blob service of our own, in this process and in memory: what Pawl's client asks for, and what it must notice. Signatures are checked.
 * By default it behaves as Azure documents; `misbehaviour` says what it does wrong.
 */
export class BlobStub implements BlobServer {
  readonly access: AzureAccess;
  /** What was asked, in order. */
  readonly journal: Asked[] = [];
  misbehaviour: BlobMisbehaviour = {};
  readonly #server: Server;
  readonly #containers = new Map<string, Container>();

  private constructor(server: Server) {
    this.#server = server;
    this.access = {
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${ACCOUNT}`,
      account: ACCOUNT,
      // Must never be seen in what Pawl prints or keeps.
      key: Buffer.from("test-Secret-4417").toString("base64"),
    };
    server.on("request", (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<BlobStub> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new BlobStub(server);
  }

  async container(name: string): Promise<AzureTestClient> {
    const client = new AzureTestClient(this.access, name);
    await client.create();
    return client;
  }

  /** What a container holds, by itself. */
  held(container: string): Container {
    return this.#containers.get(container) ?? new Container();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
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
    const url = new URL(request.url ?? "/", "http://stub");
    const asked = askedBy(request, url, Buffer.concat(pieces));
    this.journal.push(asked);
    const right = this.#answer(request, url, this.misbehaviour.asked?.(asked) ?? asked);
    const answer = this.misbehaviour.answer?.(asked, right) ?? right;
    response.writeHead(answer.status, { "content-length": answer.body.length, ...answer.headers });
    response.end(asked.method === "HEAD" ? undefined : answer.body);
  }

  #answer(request: IncomingMessage, url: URL, asked: Asked): Answer {
    try {
      assertAllowed(request, url, this.access);
      const rules = { order: same, page: same, ...this.misbehaviour.list };
      return answerTo(asked, this.#containers, rules, (source) => {
        const from = new URL(source);
        const reading = { method: "GET", headers: {} } as IncomingMessage;
        assertAllowed(reading, from, this.access);
        const { container, key } = askedBy(reading, from, Buffer.alloc(0));
        const blob = this.held(container).blobs.get(key);
        if (blob === undefined) throw new BlobRefusal(404, "CannotVerifyCopySource");
        return blob;
      });
    } catch (error) {
      if (!(error instanceof BlobRefusal)) throw error;
      const said = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${error.code}</Code><Message>${error.message}\nRequestId:1</Message></Error>`;
      return {
        status: error.status,
        headers: { "content-type": "application/xml", "x-ms-error-code": error.code },
        body: Buffer.from(asked.method === "HEAD" ? "" : said),
      };
    }
  }
}

function same<T>(value: T): T {
  return value;
}

function askedBy({ method = "GET", headers }: IncomingMessage, url: URL, body: Buffer): Asked {
  const [, , container = "", ...rest] = url.pathname.split("/");
  return {
    method,
    container: decodeURIComponent(container),
    key: decodeURIComponent(rest.join("/")),
    query: url.searchParams,
    headers,
    body,
  };
}
