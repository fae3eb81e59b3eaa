import http, { type IncomingMessage, type OutgoingHttpHeaders, type RequestOptions } from "node:http";
import https from "node:https";
import { TransientError } from "../../../errors.ts";
import { DirectHttpClient, isSuccess } from "../http/direct-client.ts";
import { DEFAULT_BUDGET, LONGEST_BODY, LONGEST_ERROR_BODY, paced } from "../http/response-budget.ts";
import { ResponseError } from "../http/response-error.ts";

/** What every request of a client says; a service may ask for more. */
export interface BucketRequest {
  readonly method?: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Null speaks of the bucket or container. */
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

/** What a request is sent as, once it is signed. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
}

/** The errors of a connection, under the codes of the service. */
export interface ConnectionErrors {
  silent(place: string, seconds: number): TransientError;
  unfinished(place: string, minutes: number): TransientError;
  tooLong(place: string, bytes: number): TransientError;
  slow(place: string, what: string): TransientError;
  broken(place: string, reason: string, cause: unknown): TransientError;
  range(place: string, came: string, wanted: number): TransientError;
}

/** What is no object must have come after so long: an upload may take minutes to be put together. */
const ANSWER_MS = 10 * 60_000;
const EMPTY = Buffer.alloc(0);

/**
 * The requests to one bucket or container over connections that are kept, within budgets for time and bytes. Tries each once. A
 * service signs its requests and reads its errors.
 */
export abstract class BucketClient<Request extends BucketRequest = BucketRequest> {
  /** For people. */
  readonly place: string;
  readonly #endpoint: URL;
  readonly #errors: ConnectionErrors;
  readonly #http: typeof http | typeof https;
  readonly #agent: http.Agent;
  readonly #wire: DirectHttpClient;
  /** Whether a signature was taken already: then the keys are right, and another that is not has to do with its object. */
  #hasTaken = false;

  constructor(place: string, endpoint: URL, errors: ConnectionErrors) {
    this.place = place;
    this.#endpoint = endpoint;
    this.#errors = errors;
    const secure = endpoint.protocol === "https:";
    this.#http = secure ? https : http;
    // Which of the free connections is taken does not matter; the last used one is surely open still.
    this.#agent = new this.#http.Agent({ keepAlive: true, scheduling: "lifo", maxFreeSockets: 256 });
    const silent = () => this.#silent();
    this.#wire = new DirectHttpClient({ endpoint, silenceMs: DEFAULT_BUDGET.silenceMs, silent });
  }

  protected abstract signed(request: Request): SignedRequest;

  /** The error that an answer is. `hasTaken` says whether the place has taken a signature of these keys before. */
  protected abstract errorOf(answer: BucketResponse, hasTaken: boolean): ResponseError;

  /** Sends a request and reads the answer to its end. Throws an AnswerError where the answer is one. */
  async send(request: Request): Promise<BucketResponse> {
    const response = await this.begin(request);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await this.#whole(response, request.method),
    };
  }

  /** Sends a request; the answer is to be read. Throws an AnswerError where it is one. */
  async begin(request: Request): Promise<IncomingMessage> {
    const response = await this.#exchange(request);
    const status = response.statusCode ?? 0;
    if (isSuccess(status)) {
      this.#hasTaken = true;
      return response;
    }
    const said = { status, headers: response.headers, body: await this.#whole(response) };
    throw this.errorOf(said, this.#hasTaken);
  }

  /**
   * Receives what a GET gives into a piece of memory that is as long; resolves with the headers of the answer. Null where
   * the answer has another length or is no plain one: then `begin` tells what it is. Throws an AnswerError where it is one.
   */
  async receive(
    request: Request,
    into: Buffer,
  ): Promise<{ readonly status: number; readonly headers: IncomingMessage["headers"] } | null> {
    const answer = await this.#wire.get(this.signed(request), into).catch((error) => {
      throw this.#outage(error);
    });
    if (answer === null || isSuccess(answer.status)) return answer;
    throw this.errorOf({ ...answer, body: answer.errorBody }, this.#hasTaken);
  }

  /** The pieces of an answer that `begin` gave, within the budget. */
  async *pieces(response: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* paced<Buffer>(response, DEFAULT_BUDGET, (what) => this.#errors.slow(this.place, what));
    } catch (error) {
      throw this.#outage(error);
    }
  }

  /** Fills a piece of memory with a range of an object, as `request` asks for it. */
  async receiveRange(request: Request, into: Buffer): Promise<void> {
    const answer = await this.receive(request, into);
    if (answer?.status === 206) return;
    const response = await this.begin(request);
    const { length } = into;
    const wrong = (came: string) => this.#errors.range(this.place, came, length);
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
    this.#wire.close();
  }

  #silent(): TransientError {
    return this.#errors.silent(this.place, DEFAULT_BUDGET.silenceMs / 1000);
  }

  /** A connection that broke or never came to be. */
  #outage(error: unknown): Error {
    if (error instanceof TransientError || error instanceof ResponseError) return error;
    const { code, message } = error as NodeJS.ErrnoException;
    return this.#errors.broken(this.place, code ?? message, error);
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
        else reject(this.#outage(error));
      });
      // Once Node knows a length it takes this one header for UTF-8, and sends other bytes than were signed.
      if (body.length > 0 && outgoing.hasHeader("content-disposition")) {
        outgoing.write(body);
        outgoing.end();
      } else outgoing.end(body);
    });
  }
  /** Reads an answer to its end, into one piece of memory where its length is known. */
  async #whole(response: IncomingMessage, method?: string): Promise<Buffer> {
    const { statusCode = 0 } = response;
    const most = isSuccess(statusCode) ? LONGEST_BODY : LONGEST_ERROR_BODY;
    // The length that HEAD tells is that of an object, which does not come.
    const length = method === "HEAD" ? Number.NaN : Number(response.headers["content-length"] ?? Number.NaN);
    const pieces: Buffer[] = [];
    const bytes = length > 0 && length <= most ? Buffer.allocUnsafe(length) : null;
    let filled = 0;
    const deadline = setTimeout(
      () => response.destroy(this.#errors.unfinished(this.place, ANSWER_MS / 60_000)),
      ANSWER_MS,
    );
    try {
      for await (const piece of response as AsyncIterable<Buffer>) {
        if (bytes === null) {
          filled += piece.length;
          if (filled > most && isSuccess(statusCode)) throw this.#errors.tooLong(this.place, most);
          pieces.push(piece);
          // The rest of an error adds nothing.
          if (filled > most) break;
        } else filled += piece.copy(bytes, filled);
      }
    } catch (error) {
      throw this.#outage(error);
    } finally {
      clearTimeout(deadline);
    }
    return bytes === null ? Buffer.concat(pieces) : bytes.subarray(0, filled);
  }
}
