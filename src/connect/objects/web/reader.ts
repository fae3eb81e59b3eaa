import type { IncomingMessage } from "node:http";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import type { Json } from "../../../store/contract.ts";
import { AnswerError, retryAfterMs } from "../answer-error.ts";
import { BUDGET, type Budget, paced } from "../budget.ts";
import type { ObjectEntry, Opened, Page, ReadPlace } from "../contract.ts";
import { entryOf } from "../manifest/entry.ts";
import { type Manifest, openManifest } from "../manifest/rows.ts";
import { keptOf } from "../s3/properties.ts";
import { get } from "./get.ts";
import { type Reach, reachOf } from "./reach.ts";
import { sealedUrl, shownUrl } from "./sealed.ts";
import { SealedUrls } from "./urls.ts";

const PAGE = 1000;

/** Objects of the web that a manifest names. */
export class WebReader implements ReadPlace {
  readonly name: string;
  readonly #manifest: Manifest;
  readonly #urls: SealedUrls;
  readonly #budget: Budget;

  readonly #reach: (address: string) => Reach;

  constructor(path: string, { budget = BUDGET, reach = reachOf } = {}) {
    this.#reach = reach;
    this.name = path;
    this.#manifest = openManifest(path);
    this.#urls = new SealedUrls(this.#manifest);
    this.#budget = budget;
  }

  async check(): Promise<void> {
    await this.#manifest.identity();
  }

  async identity(): Promise<Json> {
    return await this.#manifest.identity();
  }

  /** `from` is how many rows have been listed. */
  async *list(from: string | null, signal: AbortSignal): AsyncGenerator<Page, void, undefined> {
    const skip = Number(from ?? 0);
    let seen = 0;
    let entries: ObjectEntry[] = [];
    for await (const row of this.#manifest.rows()) {
      if (seen++ < skip) continue;
      entries.push(await entryOf(row));
      if (entries.length < PAGE) continue;
      signal.throwIfAborted();
      yield { entries, next: String(seen) };
      entries = [];
    }
    yield { entries, next: null };
  }

  async open(entry: ObjectEntry): Promise<Opened> {
    const named = await this.#urls.of(entry);
    const url = named === null ? null : URL.parse(named);
    if (url === null)
      throw new ItemError("the manifest does not name it any more, and Pawl keeps no query of a URL", {
        code: "copy.manifest",
      });
    try {
      const response = await get(url, this.#budget, this.#reach);
      const { statusCode = 0, statusMessage = "", headers } = response;
      // Any other that is well, such as a part that nobody has asked for, is not the object.
      if (statusCode === 200) {
        const object = new WebObject(response, entry, url.host, this.#budget);
        if (entry.size === null || object.size === null || object.size === entry.size) return object;
        await object.close();
        throw new ItemError(`it has ${object.size} bytes, and ${entry.size} by the manifest`, {
          code: "copy.size",
        });
      }
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

  async partBytes(): Promise<null> {
    return null;
  }

  async version(): Promise<null> {
    return null;
  }

  async remove({ key }: ObjectEntry): Promise<void> {
    throw new ItemError(`${key} cannot be removed: objects of the web can only be read`);
  }

  /** What is kept of an entry that has failed holds no query: its URL is looked up again in the manifest. */
  again(entry: ObjectEntry): ObjectEntry {
    return entry.from === undefined ? entry : { ...entry, from: sealedUrl(entry.from) };
  }

  where({ from, key }: ObjectEntry): string {
    return from === undefined ? key : shownUrl(from);
  }

  async close(): Promise<void> {
    await this.#urls.close();
  }
}

class WebObject implements Opened {
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
