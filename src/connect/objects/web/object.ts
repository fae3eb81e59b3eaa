import type { IncomingMessage } from "node:http";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import { retryAfterMs } from "../../../retry-after.ts";
import type { ObjectEntry, OpenObject } from "../contract.ts";
import { DEFAULT_BUDGET, paced, type ResponseBudget } from "../http/response-budget.ts";
import { ResponseError } from "../http/response-error.ts";
import { keptOf } from "../s3/properties.ts";
import { type AddressScope, scopeOf } from "./address-scope.ts";
import { get } from "./get.ts";

/** What a URL names, as it is now. Rejects with an `AnswerError` where the server does not give it. */
export async function openUrl(
  url: URL,
  entry: ObjectEntry,
  budget: ResponseBudget = DEFAULT_BUDGET,
  reach: (address: string) => AddressScope = scopeOf,
): Promise<WebObject> {
  try {
    const ask = async (headers?: Readonly<Record<string, string>>) => {
      const response = await get(url, budget, reach, headers);
      // Any other that is well, such as a part that nobody has asked for, is not the object.
      if (response.statusCode === 200 || (response.statusCode === 206 && headers?.range !== undefined))
        return response;
      response.destroy();
      throw refusal(response, url.host);
    };
    return new WebObject(await ask(), entry, url.host, { budget, ask });
  } catch (error) {
    throw outage(error, url.host);
  }
}

function refusal(
  { statusCode = 0, statusMessage = "", headers }: IncomingMessage,
  host: string,
): ResponseError {
  return new ResponseError({
    status: statusCode,
    code: `${statusCode} ${statusMessage.slice(0, 100)}`.trim(),
    place: host,
    message: "",
    retryAfterMs: retryAfterMs(headers["retry-after"]),
  });
}

/** How an object is asked for. */
interface WebRequest {
  readonly budget: ResponseBudget;
  /** Asks once more. */
  readonly ask: (headers: Readonly<Record<string, string>>) => Promise<IncomingMessage>;
}

/** A connection that gave at least so much before it broke is followed by another one that goes on from there. */
const WORTH_GOING_ON = 64 * 1024;

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
  readonly #asked: WebRequest;

  constructor(response: IncomingMessage, entry: ObjectEntry, host: string, asked: WebRequest) {
    const { headers } = response;
    const packed = (headers["content-encoding"] ?? "").trim().toLowerCase();
    if (!PLAIN.has(packed)) {
      response.destroy();
      throw new ItemError(`it comes packed as ${packed}, which nobody asked for`, { code: "copy.encoded" });
    }
    const length = headers["content-length"];
    const modified = Date.parse(headers["last-modified"] ?? "");
    this.size = length === undefined ? entry.size : Number(length);
    this.etag = entry.etag;
    this.serverEtag = headers.etag ?? null;
    this.modified = Number.isNaN(modified) ? null : modified;
    const kept = keptOf(headers);
    delete kept["content-encoding"];
    this.properties = { headers: kept, metadata: {}, tags: null };
    this.#response = response;
    this.#host = host;
    this.#asked = asked;
  }

  /**
   * All bytes. Where the connection breaks in the middle the same version is asked for from there on, so that a server which ends
   * each connection after a while can be read to the end as well.
   */
  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    let given = 0;
    let skip = 0;
    for (;;) {
      const from = given;
      try {
        for await (const piece of this.#pieces()) {
          const rest = piece.subarray(Math.min(skip, piece.length));
          skip -= piece.length - rest.length;
          given += rest.length;
          if (rest.length > 0) yield rest;
        }
        return;
      } catch (error) {
        if (!(error instanceof TransientError) || given - from < WORTH_GOING_ON) throw error;
        skip = await this.#goOn(given, error);
      }
    }
  }

  async *#pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    const response = this.#response;
    try {
      yield* paced<Buffer>(
        response,
        this.#asked.budget,
        (what) => new TransientError("web.timeout", `${this.#host} ${what}`),
      );
    } catch (error) {
      throw outage(error, this.#host);
    } finally {
      if (!response.complete) response.destroy();
    }
  }

  /** Has the bytes from `offset` on come; returns how many before them come too. Throws `why` where that cannot be. */
  async #goOn(offset: number, why: TransientError): Promise<number> {
    const { size, serverEtag: etag, modified } = this;
    if (size === null || (etag === null && modified === null)) throw why;
    // By a weak one a server may not give a part: then all of it comes.
    const isStrong = etag !== null && !etag.startsWith("W/");
    const headers = isStrong ? { range: `bytes=${offset}-`, "if-range": etag } : {};
    const response = await this.#asked.ask(headers).catch((error) => {
      throw outage(error, this.#host);
    });
    const head = response.headers;
    const at = response.statusCode === 206 ? offset : 0;
    const isRest =
      at === 0
        ? Number(head["content-length"]) === size
        : head["content-range"] === `bytes ${offset}-${size - 1}/${size}`;
    const isSame =
      (head.etag ?? null) === etag &&
      (modified === null || Date.parse(head["last-modified"] ?? "") === modified) &&
      PLAIN.has((head["content-encoding"] ?? "").trim().toLowerCase());
    if (!isRest || !isSame) {
      response.destroy();
      throw why;
    }
    this.#response = response;
    return offset - at;
  }

  async close(): Promise<void> {
    // What has not been read to its end would keep its connection.
    if (!this.#response.complete || !this.#response.readableEnded) this.#response.destroy();
  }
}

/** Ways to say that bytes come as they are. */
const PLAIN = new Set(["", "identity", "aws-chunked"]);

/** Errors of one host that no trying again helps against. */
const HOPELESS: Readonly<Record<string, string>> = {
  ENOTFOUND: "there is no such host",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is signed by itself",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is that of another host",
};

function outage(error: unknown, host: string): unknown {
  if (error instanceof ResponseError || error instanceof PawlError) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  const hopeless = own(HOPELESS, code);
  if (hopeless !== undefined) return new ItemError(`${host}: ${hopeless} (${code})`, { code: "copy.host" });
  return new TransientError("web.connection", `the connection to ${host} failed: ${code || message}`, {
    cause: error,
  });
}
