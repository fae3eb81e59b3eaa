import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import type { Json } from "../../../store/contract.ts";
import { AnswerError, retryAfterMs } from "../answer-error.ts";
import type { ObjectEntry, Opened, Page, ReadPlace } from "../contract.ts";
import { entryOf } from "../manifest/entry.ts";
import { type Manifest, openManifest } from "../manifest/rows.ts";
import { keptOf } from "../s3/properties.ts";

const PAGE = 1000;
/** A server that says nothing for so long is given up. */
const SILENCE_MS = 60_000;

/** Objects of the web that a manifest names. */
export class WebReader implements ReadPlace {
  readonly name: string;
  readonly #manifest: Manifest;

  constructor(path: string) {
    this.name = path;
    this.#manifest = openManifest(path);
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
    const url = entry.from ?? "";
    const host = URL.parse(url)?.host ?? url;
    const giveUp = new AbortController();
    let silence = setTimeout(() => giveUp.abort(), SILENCE_MS);
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => giveUp.abort(), SILENCE_MS);
    };
    try {
      // Packed bytes would be unpacked on the way and no longer be those that were announced.
      const response = await fetch(url, {
        signal: giveUp.signal,
        headers: { "accept-encoding": "identity" },
      });
      heard();
      // Any other that is well, such as a part that nobody has asked for, is not the object.
      if (response.status === 200) {
        const object = new WebObject(response, entry, host, heard, () => clearTimeout(silence));
        if (entry.size === null || object.size === null || object.size === entry.size) return object;
        await object.close();
        throw new ItemError(`it has ${object.size} bytes, and ${entry.size} by the manifest`, {
          code: "copy.size",
        });
      }
      clearTimeout(silence);
      await response.body?.cancel();
      throw new AnswerError({
        status: response.status,
        code: `${response.status} ${response.statusText}`.trim(),
        place: host,
        message: "",
        retryAfterMs: retryAfterMs(response.headers.get("retry-after")),
      });
    } catch (error) {
      clearTimeout(silence);
      throw outage(error, host);
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

  where({ from, key }: ObjectEntry): string {
    return from ?? key;
  }

  async close(): Promise<void> {}
}

class WebObject implements Opened {
  readonly version = null;
  readonly size: number | null;
  readonly tag: string | null;
  readonly modified: number | null;
  readonly properties: Opened["properties"];
  readonly #response: Response;
  readonly #host: string;
  readonly #heard: () => void;
  readonly #done: () => void;

  constructor(response: Response, entry: ObjectEntry, host: string, heard: () => void, done: () => void) {
    const { headers } = response;
    const length = headers.get("content-length");
    const packed = headers.get("content-encoding");
    const modified = Date.parse(headers.get("last-modified") ?? "");
    // What came packed against our wish is unpacked by now, so its length says nothing.
    this.size = packed !== null ? null : length !== null ? Number(length) : entry.size;
    this.tag = entry.tag;
    this.modified = Number.isNaN(modified) ? null : modified;
    const kept = keptOf(Object.fromEntries(headers));
    delete kept["content-encoding"];
    this.properties = { headers: kept, metadata: {}, tags: null };
    this.#response = response;
    this.#host = host;
    this.#heard = heard;
    this.#done = done;
  }

  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const bytes of this.#response.body ?? []) {
        this.#heard();
        yield bytes;
      }
    } catch (error) {
      throw outage(error, this.#host);
    } finally {
      this.#done();
    }
  }

  async close(): Promise<void> {
    this.#done();
    if (!this.#response.bodyUsed) await this.#response.body?.cancel().catch(() => {});
  }
}

/** Errors of one host that no trying again helps against. */
const HOPELESS: Readonly<Record<string, string>> = {
  ENOTFOUND: "there is no such host",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is signed by itself",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is that of another host",
};

/** The same, where only the text of the cause tells. */
const HOPELESS_TEXT: Readonly<Record<string, string>> = {
  "redirect count exceeded": "it leads from one address to the next without end",
  "URL scheme must be a HTTP(S) scheme": "it leads to what is not of the web",
  "bad port": "no page of the web may be asked for at this port",
};

function outage(error: unknown, host: string): unknown {
  if (error instanceof AnswerError || error instanceof PawlError) return error;
  const { cause, name, message } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === "AbortError")
    return new TransientError("web.timeout", `${host} has been silent for ${SILENCE_MS / 1000} s`);
  const code = cause?.code ?? "";
  const hopeless = own(HOPELESS, code);
  if (hopeless !== undefined) return new ItemError(`${host}: ${hopeless} (${code})`, { code: "copy.host" });
  const text = own(HOPELESS_TEXT, cause?.message ?? "");
  if (text !== undefined) return new ItemError(`${host}: ${text}`, { code: "copy.host" });
  return new TransientError(
    "web.connection",
    `the connection to ${host} failed: ${code || (cause?.message ?? message)}`,
    {
      cause: error,
    },
  );
}
