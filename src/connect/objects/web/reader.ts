import { createHash } from "node:crypto";
import { ItemError } from "../../../errors.ts";
import type { Json } from "../../../store/contract.ts";
import type { ListedPage, ObjectEntry, ObjectReader, OpenObject } from "../contract.ts";
import { DEFAULT_BUDGET, type ResponseBudget } from "../http/response-budget.ts";
import { ResponseError } from "../http/response-error.ts";
import { type AddressScope, scopeOf } from "./address-scope.ts";
import { entryOf, type Manifest, openManifest } from "./manifest.ts";
import { ManifestUrls } from "./manifest-urls.ts";
import { openUrl, type WebObject } from "./object.ts";
import { redactedUrl, shownUrl, unsignedUrl } from "./redacted-url.ts";

const PAGE = 1000;
/** How servers answer to a signature that is not good any more. */
const EXPIRED = new Set([400, 401, 403, 410]);

/** Objects of the web that a manifest names. */
export class WebReader implements ObjectReader {
  readonly name: string;
  readonly #manifest: Manifest;
  readonly #urls: ManifestUrls;
  readonly #budget: ResponseBudget;
  /** Whether signatures have been others in the manifest than in the listing: then those of the manifest are taken. */
  #isSignedAgain = false;

  readonly #reach: (address: string) => AddressScope;

  constructor(path: string, { budget = DEFAULT_BUDGET, reach = scopeOf } = {}) {
    this.#reach = reach;
    this.name = path;
    this.#manifest = openManifest(path);
    this.#urls = new ManifestUrls(this.#manifest);
    this.#budget = budget;
  }

  async check(): Promise<void> {
    await this.#manifest.identity();
  }

  /** Of what it names: with other signatures, or written in another form, it is the same. */
  async identity(): Promise<Json> {
    const sum = createHash("sha256");
    let rows = 0;
    for await (const row of this.#manifest.rows()) {
      const { key, from, size, etag, problem } = await entryOf(row);
      // The key of a row that cannot be read says where it stands.
      const what = problem === undefined ? [key, unsignedUrl(from ?? ""), size, etag] : [problem];
      sum.update(`${JSON.stringify(what)}\n`);
      rows++;
    }
    return { rows, sha256: sum.digest("hex") };
  }

  /** `from` is how many rows have been listed. */
  async *list(from: string | null, signal: AbortSignal): AsyncGenerator<ListedPage, void, undefined> {
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

  async open(entry: ObjectEntry): Promise<OpenObject> {
    const named = await this.#urls.of(entry);
    const url = named === null ? null : URL.parse(named);
    if (url === null)
      throw new ItemError("the manifest does not name it any more, and Pawl keeps no query of a URL", {
        code: "copy.manifest",
      });
    const object = await this.#opened(url, entry);
    if (entry.size === null || object.size === null || object.size === entry.size) return object;
    await object.close();
    throw new ItemError(`it has ${object.size} bytes, and ${entry.size} by the manifest`, {
      code: "copy.size",
    });
  }

  /** With a fresh signature where the manifest has got one since the object was listed: one that expires opens nothing any more. */
  async #opened(url: URL, entry: ObjectEntry): Promise<WebObject> {
    const open = (of: URL) => openUrl(of, entry, this.#budget, this.#reach);
    const fresh = async () => URL.parse((await this.#urls.signedAgain(url.href)) ?? "");
    const isSigned = unsignedUrl(url.href) !== url.href;
    if (isSigned && this.#isSignedAgain) return await open((await fresh()) ?? url);
    try {
      return await open(url);
    } catch (error) {
      if (!isSigned || !(error instanceof ResponseError) || !EXPIRED.has(error.status)) throw error;
      const other = await fresh();
      if (other === null) throw error;
      this.#isSignedAgain = true;
      return await open(other);
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
  forReplay(entry: ObjectEntry): ObjectEntry {
    return entry.from === undefined ? entry : { ...entry, from: redactedUrl(entry.from) };
  }

  where({ from, key }: ObjectEntry): string {
    return from === undefined ? key : shownUrl(from);
  }

  async close(): Promise<void> {
    await this.#urls.close();
  }
}
