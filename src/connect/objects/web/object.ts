import type { IncomingMessage } from "node:http";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import { retryAfterMs } from "../../../retry-after.ts";
import { contentHeadersOf } from "../content-headers.ts";
import type { ObjectEntry, OpenObject } from "../contract.ts";
import { DEFAULT_BUDGET, paced, type ResponseBudget } from "../http/response-budget.ts";
import { ResponseError } from "../http/response-error.ts";
import { resumed } from "../http/resume.ts";
import { type AddressScope, scopeOf } from "./address-scope.ts";
import { guardedGet } from "./guarded-get.ts";

/** What a URL names, as it is now. Rejects with an `ResponseError` where the server does not give it. */
export async function openUrl(
  url: URL,
  entry: ObjectEntry,
  budget: ResponseBudget = DEFAULT_BUDGET,
  reach: (address: string) => AddressScope = scopeOf,
): Promise<WebObject> {
  try {
    const send = async (headers?: Readonly<Record<string, string>>) => {
      const response = await guardedGet(url, budget, reach, headers);
      // Any other success, such as a range that was not asked for, is not the object.
      if (response.statusCode === 200 || (response.statusCode === 206 && headers?.range !== undefined))
        return response;
      response.destroy();
      throw refusal(response, url.host);
    };
    return new WebObject(await send(), entry, url.host, { budget, send });
  } catch (error) {
    throw connectionError(error, url.host);
  }
}

/** The error of an answer that is not a success. */
export function refusal(
  { statusCode = 0, statusMessage = "", headers }: IncomingMessage,
  host: string,
): ResponseError {
  return new ResponseError({
    status: statusCode,
    code: `${statusCode} ${statusMessage.slice(0, 100)}`.trim(),
    server: host,
    message: "",
    retryAfterMs: retryAfterMs(headers["retry-after"]),
  });
}

/** How an object is asked for. */
interface WebRequest {
  readonly budget: ResponseBudget;
  /** Sends the request again, with other headers. */
  readonly send: (headers: Readonly<Record<string, string>>) => Promise<IncomingMessage>;
}

export class WebObject implements OpenObject {
  /** What the server calls this state of it; null where it does not. */
  readonly serverEtag: string | null;
  readonly version = null;
  readonly size: number | null;
  readonly etag: string | null;
  readonly modified: number | null;
  readonly properties: OpenObject["properties"];
  #response: IncomingMessage;
  readonly #host: string;
  readonly #request: WebRequest;

  constructor(response: IncomingMessage, entry: ObjectEntry, host: string, request: WebRequest) {
    const { headers } = response;
    if (!isUnpacked(headers)) {
      response.destroy();
      const encoding = headers["content-encoding"];
      throw new ItemError(`it comes compressed as ${encoding}, which was not asked for`, {
        code: "copy.encoded",
      });
    }
    const length = headers["content-length"];
    const modified = Date.parse(headers["last-modified"] ?? "");
    this.size = length === undefined ? entry.size : Number(length);
    this.etag = entry.etag;
    this.serverEtag = headers.etag ?? null;
    this.modified = Number.isNaN(modified) ? null : modified;
    const kept = contentHeadersOf(headers);
    delete kept["content-encoding"];
    this.properties = { headers: kept, metadata: {}, tags: null };
    this.#response = response;
    this.#host = host;
    this.#request = request;
  }

  /**
   * All bytes. Where the connection breaks, the same version is asked for from the first missing byte on, so that a server which
   * ends each connection after a while can be read to the end as well. `attempts` is how many failures in a row without
   * progress end that; the caller of a copy tries the whole object again.
   */
  body(attempts = 1): AsyncIterable<Uint8Array> {
    return resumed(
      async (from, cause) => this.#pieces(cause === null ? 0 : await this.#reopen(from, cause)),
      attempts,
    );
  }

  /** The pieces of the current response, without its first `skip` bytes. */
  async *#pieces(skip: number): AsyncGenerator<Uint8Array, void, undefined> {
    const response = this.#response;
    let left = skip;
    const slow = (what: string) => new TransientError("http.timeout", `${this.#host} ${what}`);
    try {
      for await (const piece of paced<Buffer>(response, this.#request.budget, slow)) {
        const rest = piece.subarray(Math.min(left, piece.length));
        left -= piece.length - rest.length;
        if (rest.length > 0) yield rest;
      }
    } catch (error) {
      throw connectionError(error, this.#host);
    } finally {
      if (!response.complete) response.destroy();
    }
  }

  /**
   * Asks for the bytes from `offset` on; returns how many bytes before them the response has as well. Throws `cause` where the
   * server cannot give them, and a TransientError where it has another version by now.
   */
  async #reopen(offset: number, cause: unknown): Promise<number> {
    const { size, serverEtag, modified } = this;
    if (size === null || (serverEtag === null && modified === null)) throw cause;
    // A server may not give a range of a version that a weak ETag names: then the whole is read.
    const isStrong = serverEtag !== null && !serverEtag.startsWith("W/");
    const headers = isStrong ? { range: `bytes=${offset}-`, "if-range": serverEtag } : {};
    const response = await this.#request.send(headers).catch((error) => {
      throw connectionError(error, this.#host);
    });
    const head = response.headers;
    const start = response.statusCode === 206 ? offset : 0;
    const isRest =
      start === 0
        ? Number(head["content-length"]) === size
        : head["content-range"] === `bytes ${offset}-${size - 1}/${size}`;
    const isSameVersion =
      (head.etag ?? null) === serverEtag &&
      (modified === null || Date.parse(head["last-modified"] ?? "") === modified) &&
      isUnpacked(head);
    if (isRest && isSameVersion) {
      this.#response = response;
      return offset - start;
    }
    response.destroy();
    if (isSameVersion) throw cause;
    throw new TransientError("copy.changed", `it was changed on ${this.#host} while it was read`, { cause });
  }

  async close(): Promise<void> {
    // What has not been read to its end would keep its connection.
    if (!this.#response.complete || !this.#response.readableEnded) this.#response.destroy();
  }
}

/** Content encodings by which bytes come as they are. */
const PLAIN_ENCODINGS = new Set(["", "identity", "aws-chunked"]);

/** Whether the bytes that come are those of the object, and not packed for the way. */
export function isUnpacked(headers: IncomingMessage["headers"]): boolean {
  return PLAIN_ENCODINGS.has((headers["content-encoding"] ?? "").trim().toLowerCase());
}

/** Errors of one host that another attempt does not help against. */
const LASTING_FAILURES: Readonly<Record<string, string>> = {
  ENOTFOUND: "there is no such host",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is signed by itself",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is that of another host",
};

/** The error of a connection to a host, which another attempt helps against or not. */
export function connectionError(error: unknown, host: string): unknown {
  if (error instanceof ResponseError || error instanceof PawlError) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  const lasting = own(LASTING_FAILURES, code);
  if (lasting !== undefined) return new ItemError(`${host}: ${lasting} (${code})`, { code: "copy.host" });
  return new TransientError("http.connection", `the connection to ${host} failed: ${code || message}`, {
    cause: error,
  });
}
