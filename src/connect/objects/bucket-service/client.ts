import http, { type IncomingMessage, type OutgoingHttpHeaders, type RequestOptions } from "node:http";
import https from "node:https";
import { durationText } from "../../../durations.ts";
import { TransientError } from "../../../errors.ts";
import { DirectHttpClient, isSuccess } from "../http/direct-client.ts";
import { DEFAULT_BUDGET, LONGEST_BODY, LONGEST_ERROR_BODY, paced } from "../http/response-budget.ts";
import { ResponseError } from "../http/response-error.ts";
import { bucketError } from "./errors.ts";
import type { BucketService } from "./service.ts";

/** A request to a bucket; a service may add to it. */
export interface BucketRequest {
  readonly method?: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Null for the bucket or container itself. */
  readonly key?: string | null;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
}

export interface BucketResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** A request as it is sent, once it is signed. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
}

export interface BucketClientOptions {
  /** The bucket and the host, for people. */
  readonly name: string;
  readonly endpoint: URL;
  readonly service: BucketService;
  /** Whether credentials that were accepted may be refused later, as a SAS token is. */
  readonly credentialsExpire: boolean;
}

/** A response other than an object must have come after so long: an upload may take minutes to be put together. */
const RESPONSE_MS = 10 * 60_000;
const EMPTY = Buffer.alloc(0);

/**
 * The requests to one bucket or container over connections that are kept, within budgets for time and bytes. Sends each request once. A
 * service signs its requests.
 */
export abstract class BucketClient<Request extends BucketRequest = BucketRequest> {
  readonly name: string;
  readonly service: BucketService;
  readonly #endpoint: URL;
  readonly #credentialsExpire: boolean;
  readonly #http: typeof http | typeof https;
  readonly #agent: http.Agent;
  readonly #direct: DirectHttpClient;
  /** Whether the server has accepted a signature: then another one is refused for what it signs. */
  #hasAccepted = false;

  constructor({ name, endpoint, service, credentialsExpire }: BucketClientOptions) {
    this.name = name;
    this.service = service;
    this.#endpoint = endpoint;
    this.#credentialsExpire = credentialsExpire;
    const secure = endpoint.protocol === "https:";
    this.#http = secure ? https : http;
    // Of the free connections the last used one is most surely still open.
    this.#agent = new this.#http.Agent({ keepAlive: true, scheduling: "lifo", maxFreeSockets: 256 });
    const silent = () => this.#silent();
    this.#direct = new DirectHttpClient({ endpoint, silenceMs: DEFAULT_BUDGET.silenceMs, silent });
  }

  protected abstract signed(request: Request): SignedRequest;

  #errorOf(response: BucketResponse): ResponseError {
    const areKeysProven = this.#hasAccepted && !this.#credentialsExpire;
    return bucketError(this.service, this.name, response, areKeysProven);
  }

  /** Sends a request and reads the response to its end. Throws a ResponseError where it is not a success. */
  async send(request: Request): Promise<BucketResponse> {
    const response = await this.begin(request);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await this.#whole(response, request.method),
    };
  }

  /** Sends a request; the caller reads the response. Throws a ResponseError where it is not a success. */
  async begin(request: Request): Promise<IncomingMessage> {
    const response = await this.#exchange(request);
    const status = response.statusCode ?? 0;
    if (isSuccess(status)) {
      this.#hasAccepted = true;
      return response;
    }
    const said = { status, headers: response.headers, body: await this.#whole(response) };
    throw this.#errorOf(said);
  }

  /**
   * Receives what a GET gives into a piece of memory that is as long; resolves with the headers of the response. Null where
   * the response has another length or is not a plain one: then `begin` tells what it is. Throws a ResponseError where it is not a success.
   */
  async receive(
    request: Request,
    into: Buffer,
  ): Promise<{ readonly status: number; readonly headers: IncomingMessage["headers"] } | null> {
    const answer = await this.#direct.get(this.signed(request), into).catch((error) => {
      throw this.#connectionError(error);
    });
    if (answer === null || isSuccess(answer.status)) return answer;
    throw this.#errorOf({ ...answer, body: answer.errorBody });
  }

  /** The pieces of a response that `begin` gave, within the budget. */
  async *pieces(response: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* paced<Buffer>(
        response,
        DEFAULT_BUDGET,
        (what) => new TransientError("http.timeout", `${this.name} ${what}`),
      );
    } catch (error) {
      throw this.#connectionError(error);
    }
  }

  /** Fills a piece of memory with a range of an object, as `request` asks for it. */
  async receiveRange(request: Request, into: Buffer): Promise<void> {
    const answer = await this.receive(request, into);
    if (answer?.status === 206) return;
    const response = await this.begin(request);
    const { length } = into;
    const wrong = (came: string) =>
      new TransientError("http.range", `${this.name} gave ${came} bytes where ${length} were asked for`);
    let filled = 0;
    try {
      if (response.statusCode !== 206) throw wrong("all");
      for await (const piece of this.pieces(response)) {
        if (filled + piece.length > length) throw wrong("more");
        filled += piece.copy(into, filled);
      }
    } catch (error) {
      response.destroy();
      throw error;
    }
    if (filled < length) throw wrong(String(filled));
  }

  close(): void {
    this.#agent.destroy();
    this.#direct.close();
  }

  #silent(): TransientError {
    const silence = durationText(DEFAULT_BUDGET.silenceMs);
    return new TransientError("http.timeout", `${this.name} has not answered for ${silence}`);
  }

  #unfinished(): TransientError {
    return new TransientError(
      "http.timeout",
      `${this.name} had not answered completely after ${durationText(RESPONSE_MS)}`,
    );
  }

  #tooLong(most: number): TransientError {
    return new TransientError(
      "http.too-long",
      `${this.name} answers with more than ${most} bytes, and no object`,
    );
  }

  /** The error of a connection that broke or could not be made. */
  #connectionError(error: unknown): Error {
    if (error instanceof TransientError || error instanceof ResponseError) return error;
    const { code, message } = error as NodeJS.ErrnoException;
    const sentence = `the connection to ${this.name} failed: ${code ?? message}`;
    return new TransientError("http.connection", sentence, { cause: error });
  }

  #exchange(request: Request): Promise<IncomingMessage> {
    const { hostname, port } = this.#endpoint;
    const options = {
      ...this.signed(request),
      host: hostname,
      port,
      agent: this.#agent,
      timeout: DEFAULT_BUDGET.silenceMs,
    };
    return this.#answer(options, request.body ?? EMPTY);
  }

  #answer(options: RequestOptions, body: Buffer): Promise<IncomingMessage> {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = this.#http.request(options, resolve);
      outgoing.on("timeout", () => outgoing.destroy(this.#silent()));
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        // A server closes connections that have lain idle; that one was just then used says nothing about it.
        const idle = outgoing.reusedSocket && error.code === "ECONNRESET" && options.method !== "POST";
        if (idle) resolve(this.#answer({ ...options, agent: false }, body));
        else reject(this.#connectionError(error));
      });
      // Once Node knows a length it takes this one header for UTF-8, and sends other bytes than were signed.
      if (body.length > 0 && outgoing.hasHeader("content-disposition")) {
        outgoing.write(body);
        outgoing.end();
      } else outgoing.end(body);
    });
  }
  /** Reads a response to its end, into one piece of memory where its length is known. */
  async #whole(response: IncomingMessage, method?: string): Promise<Buffer> {
    const { statusCode = 0 } = response;
    const most = isSuccess(statusCode) ? LONGEST_BODY : LONGEST_ERROR_BODY;
    // The length that HEAD tells is that of an object, which does not come.
    const length = method === "HEAD" ? Number.NaN : Number(response.headers["content-length"] ?? Number.NaN);
    const pieces: Buffer[] = [];
    const bytes = length > 0 && length <= most ? Buffer.allocUnsafe(length) : null;
    let filled = 0;
    const deadline = setTimeout(() => response.destroy(this.#unfinished()), RESPONSE_MS);
    try {
      for await (const piece of response as AsyncIterable<Buffer>) {
        if (bytes === null) {
          filled += piece.length;
          if (filled > most && isSuccess(statusCode)) throw this.#tooLong(most);
          pieces.push(piece);
          // The rest of an error adds nothing.
          if (filled > most) break;
        } else filled += piece.copy(bytes, filled);
      }
    } catch (error) {
      throw this.#connectionError(error);
    } finally {
      clearTimeout(deadline);
    }
    return bytes === null ? Buffer.concat(pieces) : bytes.subarray(0, filled);
  }
}
