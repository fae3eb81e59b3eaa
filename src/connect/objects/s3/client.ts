import { hash } from "node:crypto";
import http, { type IncomingMessage, type OutgoingHttpHeaders, type RequestOptions } from "node:http";
import https from "node:https";
import { TransientError } from "../../../errors.ts";
import { AnswerError } from "../answer-error.ts";
import { MOST_SAID, MOST_SAID_OF_ERROR } from "../budget.ts";
import { encodePath, encodeQuery } from "./encode.ts";
import { errorOf } from "./error.ts";
import type { Settings } from "./settings.ts";
import { loadSigner, type Signer } from "./signer.ts";
import { isSuccess, Wire } from "./wire.ts";

export interface S3Request {
  readonly method?: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Null speaks of the bucket. */
  readonly key?: string | null;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
  /**
   * Of the body, where it has been taken already. `UNSIGNED-PAYLOAD` signs what is said of the body and not its bytes: for one
   * whose checksum the answer tells, and that is compared.
   */
  readonly sha256?: string;
}

export interface S3Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** A connection on which nothing moves for so long is given up. */
const SILENCE_MS = 60_000;
/** What is no object must have come after so long: an upload may take minutes to be put together. */
const ANSWER_MS = 10 * 60_000;
const EMPTY = Buffer.alloc(0);

/** The requests of one bucket, signed, over connections that are kept. Tries each once. */
export class S3Client {
  readonly bucket: string;
  /** For people. */
  readonly place: string;
  readonly #settings: Settings;
  readonly #signer: Signer | null;
  readonly #http: typeof http | typeof https;
  readonly #agent: http.Agent;
  readonly #wire: Wire;
  readonly #host: string;
  readonly #base: string;
  /** Whether a signature was taken already: then the keys are right, and another that is not has to do with its object. */
  #hasTaken = false;

  private constructor(bucket: string, settings: Settings, signer: Signer | null) {
    const { endpoint, pathStyle } = settings;
    this.bucket = bucket;
    this.place = `s3://${bucket} at ${endpoint.host}`;
    this.#settings = settings;
    this.#signer = signer;
    const secure = endpoint.protocol === "https:";
    this.#http = secure ? https : http;
    // Which of the free connections is taken does not matter; the last used one is surely open still.
    this.#agent = new this.#http.Agent({ keepAlive: true, scheduling: "lifo", maxFreeSockets: 256 });
    const silent = () => this.#silent();
    this.#wire = new Wire({ endpoint, silenceMs: SILENCE_MS, silent });
    this.#host = pathStyle ? endpoint.host : `${bucket}.${endpoint.host}`;
    const base = endpoint.pathname.replace(/\/$/, "");
    this.#base = pathStyle ? `${base}/${encodePath(bucket)}` : base;
  }

  static async open(bucket: string, settings: Settings): Promise<S3Client> {
    return new S3Client(bucket, settings, settings.credentials === null ? null : await loadSigner());
  }

  /** Whether another client speaks to the same provider as the same user, who can then copy between their buckets. */
  reaches(other: S3Client): boolean {
    const [own, others] = [this.#settings, other.#settings];
    return (
      own.endpoint.href === others.endpoint.href &&
      own.region === others.region &&
      own.credentials?.accessKeyId === others.credentials?.accessKeyId
    );
  }

  /** Where an object is, for a header that names a source. */
  pathOf(key: string): string {
    return `/${encodePath(this.bucket)}/${encodePath(key)}`;
  }

  /** Sends a request and reads the answer to its end. Throws an AnswerError where the answer is one. */
  async send(request: S3Request): Promise<S3Answer> {
    const response = await this.begin(request);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await whole(response, this.place, request.method),
    };
  }

  /** Sends a request; the answer is to be read. Throws an AnswerError where it is one. */
  async begin(request: S3Request): Promise<IncomingMessage> {
    const response = await this.#exchange(request);
    const status = response.statusCode ?? 0;
    if (isSuccess(status)) {
      this.#hasTaken = true;
      return response;
    }
    const said = { status, headers: response.headers, body: await whole(response, this.place) };
    throw errorOf(this.place, said, this.#hasTaken);
  }

  /**
   * Receives what a GET gives into a piece of memory that is as long; resolves with the headers of the answer. Null where
   * the answer has another length or is no plain one: then `begin` tells what it is. Throws an AnswerError where it is one.
   */
  async receive(
    request: Pick<S3Request, "key" | "headers">,
    into: Buffer,
  ): Promise<{ readonly status: number; readonly headers: IncomingMessage["headers"] } | null> {
    const answer = await this.#wire.get(this.#signed(request), into).catch((error) => {
      throw outage(error, this.place);
    });
    if (answer === null || isSuccess(answer.status)) return answer;
    throw errorOf(this.place, { ...answer, body: answer.said }, this.#hasTaken);
  }

  close(): void {
    this.#agent.destroy();
    this.#wire.close();
  }

  #silent(): TransientError {
    return new TransientError("s3.timeout", `${this.place} has not answered for ${SILENCE_MS / 1000} s`);
  }

  #exchange(request: S3Request): Promise<IncomingMessage> {
    const { hostname, port } = this.#settings.endpoint;
    const signed = this.#signed(request);
    const options = { ...signed, host: hostname, port, agent: this.#agent, timeout: SILENCE_MS };
    return this.#answer(options, request.body ?? EMPTY);
  }

  #signed({ method = "GET", key = null, query = {}, headers = {}, body = EMPTY, sha256 }: S3Request) {
    const path = `${this.#base}/${key === null ? "" : encodePath(key)}${encodeQuery(query)}`;
    const signed = {
      method,
      path,
      headers: {
        ...("content-disposition" in headers
          ? { "content-disposition": headers["content-disposition"] }
          : {}),
        host: this.#host,
        ...(body.length > 0 || method === "PUT" || method === "POST"
          ? { "content-length": body.length }
          : {}),
        ...(body.length > 0 ? { "content-type": "application/octet-stream" } : {}),
        ...headers,
      } as OutgoingHttpHeaders,
    };
    if (this.#signer !== null) {
      // The server checks the bytes against a SHA-256 before it takes them.
      signed.headers["x-amz-content-sha256"] = sha256 ?? hash("sha256", body);
      this.#signer.sign(
        { method, path, region: this.#settings.region },
        signed.headers,
        this.#settings.credentials,
      );
    }
    return signed;
  }

  #answer(options: RequestOptions, body: Buffer): Promise<IncomingMessage> {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = this.#http.request(options, resolve);
      outgoing.on("timeout", () => outgoing.destroy(this.#silent()));
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        // A server closes connections that have lain idle; that one was just then used says nothing about it.
        const idle = outgoing.reusedSocket && error.code === "ECONNRESET" && options.method !== "POST";
        if (idle) resolve(this.#answer({ ...options, agent: false }, body));
        else reject(outage(error, this.place));
      });
      // Once Node knows a length it takes this one header for UTF-8, and sends other bytes than were signed.
      if (body.length > 0 && outgoing.hasHeader("content-disposition")) {
        outgoing.write(body);
        outgoing.end();
      } else outgoing.end(body);
    });
  }
}

/** Reads an answer to its end, into one piece of memory where its length is known. */
async function whole(response: IncomingMessage, place: string, method?: string): Promise<Buffer> {
  const { statusCode = 0 } = response;
  const most = isSuccess(statusCode) ? MOST_SAID : MOST_SAID_OF_ERROR;
  // The length that HEAD tells is that of an object, which does not come.
  const length = method === "HEAD" ? Number.NaN : Number(response.headers["content-length"] ?? Number.NaN);
  const pieces: Buffer[] = [];
  const bytes = length > 0 && length <= most ? Buffer.allocUnsafe(length) : null;
  let filled = 0;
  const deadline = setTimeout(
    () =>
      response.destroy(
        new TransientError("s3.timeout", `${place} was not done after ${ANSWER_MS / 60_000} min`),
      ),
    ANSWER_MS,
  );
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      if (bytes === null) {
        filled += piece.length;
        if (filled > most && isSuccess(statusCode))
          throw new TransientError(
            "s3.too-long",
            `${place} answers with more than ${most} bytes, and no object`,
          );
        pieces.push(piece);
        // The rest of an error adds nothing.
        if (filled > most) break;
      } else filled += piece.copy(bytes, filled);
    }
  } catch (error) {
    throw outage(error, place);
  } finally {
    clearTimeout(deadline);
  }
  return bytes === null ? Buffer.concat(pieces) : bytes.subarray(0, filled);
}

/** A connection that broke or never came to be. */
export function outage(error: unknown, host: string): Error {
  if (error instanceof TransientError || error instanceof AnswerError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new TransientError("s3.connection", `the connection to ${host} failed: ${code ?? message}`, {
    cause: error,
  });
}
