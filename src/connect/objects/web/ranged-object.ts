import type { IncomingMessage } from "node:http";
import { TransientError } from "../../../errors.ts";
import { DEFAULT_BUDGET, paced, type ResponseBudget } from "../http/response-budget.ts";
import { type AddressScope, scopeOf } from "./address-scope.ts";
import { guardedGet } from "./guarded-get.ts";
import { connectionError, isUnpacked, refusal } from "./object.ts";

/** What the first answer has shown of an object that is read in ranges. */
interface Version {
  readonly size: number;
  readonly etag: string | null;
  readonly modified: number | null;
}

/** An object of the web that is read in ranges, all of them of the version that was opened. */
export class RangedWebObject {
  readonly size: number;
  /** What the server calls this state of it; null where it does not. */
  readonly etag: string | null;
  /** Milliseconds since 1970. */
  readonly modified: number | null;
  readonly #host: string;
  readonly #ask: (headers: Readonly<Record<string, string>>) => Promise<IncomingMessage>;
  readonly #budget: ResponseBudget;

  private constructor(
    { size, etag, modified }: Version,
    host: string,
    ask: (headers: Readonly<Record<string, string>>) => Promise<IncomingMessage>,
    budget: ResponseBudget,
  ) {
    this.size = size;
    this.etag = etag;
    this.modified = modified;
    this.#host = host;
    this.#ask = ask;
    this.#budget = budget;
  }

  /**
   * Asks for the first byte. Null where the server gives no ranges, or nothing by which a later version could be told from this
   * one: then the object is read from its beginning. Rejects with a ResponseError where it is not given at all.
   */
  static async open(
    url: URL,
    budget: ResponseBudget = DEFAULT_BUDGET,
    reach: (address: string) => AddressScope = scopeOf,
  ): Promise<RangedWebObject | null> {
    const ask = async (headers: Readonly<Record<string, string>>) => {
      try {
        return await guardedGet(url, budget, reach, headers);
      } catch (error) {
        throw connectionError(error, url.host);
      }
    };
    const response = await ask({ range: "bytes=0-0" });
    // Its one byte is not used, and a server may send more.
    response.destroy();
    const { statusCode = 0, headers } = response;
    // An empty object has no first byte.
    if (statusCode === 416) return null;
    if (statusCode !== 200 && statusCode !== 206) throw refusal(response, url.host);
    const size = /^bytes 0-0\/(\d{1,15})$/.exec(headers["content-range"] ?? "")?.[1];
    const version = versionOf(headers);
    const isKnown = version.etag !== null || version.modified !== null;
    if (statusCode === 200 || size === undefined || !isKnown || !isUnpacked(headers)) return null;
    return new RangedWebObject({ size: Number(size), ...version }, url.host, ask, budget);
  }

  /** Fills `into` with the bytes from `offset` on. Throws the TransientError `copy.changed` where the object has another version by now. */
  async range(offset: number, into: Buffer): Promise<void> {
    const last = offset + into.length - 1;
    const { size, etag, modified } = this;
    const isStrong = etag !== null && !etag.startsWith("W/");
    const response = await this.#ask({
      range: `bytes=${offset}-${last}`,
      ...(isStrong ? { "if-match": etag } : {}),
    });
    try {
      const { statusCode = 0, headers } = response;
      if (statusCode === 412 || statusCode === 416) throw this.#changed();
      if (statusCode !== 200 && statusCode !== 206) throw refusal(response, this.#host);
      const now = versionOf(headers);
      if (now.etag !== etag || now.modified !== modified) throw this.#changed();
      const isRange = headers["content-range"] === `bytes ${offset}-${last}/${size}` && isUnpacked(headers);
      if (statusCode !== 206 || !isRange) {
        // Of the same version by its headers, and yet of another size.
        const total = /\/(\d+)$/.exec(headers["content-range"] ?? "")?.[1];
        if (total !== undefined && Number(total) !== size) throw this.#changed();
        throw this.#wrong(`answered with ${headers["content-range"] ?? "the whole"}`, offset, last);
      }
      await this.#fill(response, offset, into);
    } finally {
      if (!response.complete) response.destroy();
    }
  }

  async #fill(response: IncomingMessage, offset: number, into: Buffer): Promise<void> {
    const slow = (what: string) => new TransientError("http.timeout", `${this.#host} ${what}`);
    const last = offset + into.length - 1;
    let filled = 0;
    try {
      for await (const piece of paced<Buffer>(response, this.#budget, slow)) {
        if (filled + piece.length > into.length) throw this.#wrong("sent more", offset, last);
        filled += piece.copy(into, filled);
      }
    } catch (error) {
      throw connectionError(error, this.#host);
    }
    if (filled < into.length) throw this.#wrong(`sent ${filled} of ${into.length}`, offset, last);
  }

  #wrong(what: string, offset: number, last: number): TransientError {
    return new TransientError(
      "http.range",
      `${this.#host} was asked for the bytes ${offset} to ${last} and ${what}`,
    );
  }

  #changed(): TransientError {
    return new TransientError("copy.changed", `it was changed on ${this.#host} while it was read`);
  }
}

function versionOf(headers: IncomingMessage["headers"]): Pick<Version, "etag" | "modified"> {
  const modified = Date.parse(headers["last-modified"] ?? "");
  return { etag: headers.etag ?? null, modified: Number.isNaN(modified) ? null : modified };
}
