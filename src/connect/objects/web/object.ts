import type { IncomingMessage } from "node:http";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import { AnswerError, retryAfterMs } from "../answer-error.ts";
import { BUDGET, type Budget, paced } from "../budget.ts";
import type { ObjectEntry, Opened } from "../contract.ts";
import { keptOf } from "../s3/properties.ts";
import { get } from "./get.ts";
import { type Reach, reachOf } from "./reach.ts";

/** What a URL names, as it is now. Rejects with an `AnswerError` where the server does not give it. */
export async function openUrl(
  url: URL,
  entry: ObjectEntry,
  budget: Budget = BUDGET,
  reach: (address: string) => Reach = reachOf,
): Promise<WebObject> {
  try {
    const response = await get(url, budget, reach);
    const { statusCode = 0, statusMessage = "", headers } = response;
    // Any other that is well, such as a part that nobody has asked for, is not the object.
    if (statusCode === 200) return new WebObject(response, entry, url.host, budget);
    response.destroy();
    throw new AnswerError({
      status: statusCode,
      code: `${statusCode} ${statusMessage.slice(0, 100)}`.trim(),
      place: url.host,
      message: "",
      retryAfterMs: retryAfterMs(headers["retry-after"]),
    });
  } catch (error) {
    throw outage(error, url.host);
  }
}

export class WebObject implements Opened {
  /** What the server calls this state of it; null where it does not. */
  readonly etag: string | null;
  readonly version = null;
  readonly size: number | null;
  readonly tag: string | null;
  readonly modified: number | null;
  readonly properties: Opened["properties"];
  readonly #response: IncomingMessage;
  readonly #host: string;
  readonly #budget: Budget;

  constructor(response: IncomingMessage, entry: ObjectEntry, host: string, budget: Budget) {
    const { headers } = response;
    const packed = (headers["content-encoding"] ?? "").trim().toLowerCase();
    if (!PLAIN.has(packed)) {
      response.destroy();
      throw new ItemError(`it comes packed as ${packed}, which nobody asked for`, { code: "copy.encoded" });
    }
    const length = headers["content-length"];
    const modified = Date.parse(headers["last-modified"] ?? "");
    this.size = length === undefined ? entry.size : Number(length);
    this.tag = entry.tag;
    this.etag = headers.etag ?? null;
    this.modified = Number.isNaN(modified) ? null : modified;
    const kept = keptOf(headers);
    delete kept["content-encoding"];
    this.properties = { headers: kept, metadata: {}, tags: null };
    this.#response = response;
    this.#host = host;
    this.#budget = budget;
  }

  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* paced<Buffer>(
        this.#response,
        this.#budget,
        (what) => new TransientError("web.timeout", `${this.#host} ${what}`),
      );
    } catch (error) {
      throw outage(error, this.#host);
    } finally {
      if (!this.#response.complete) this.#response.destroy();
    }
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
  if (error instanceof AnswerError || error instanceof PawlError) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  const hopeless = own(HOPELESS, code);
  if (hopeless !== undefined) return new ItemError(`${host}: ${hopeless} (${code})`, { code: "copy.host" });
  return new TransientError("web.connection", `the connection to ${host} failed: ${code || message}`, {
    cause: error,
  });
}
