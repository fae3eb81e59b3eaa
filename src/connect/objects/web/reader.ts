import { ItemError } from "../../../errors.ts";
import type { Json } from "../../../store/contract.ts";
import { BUDGET, type Budget } from "../budget.ts";
import type { ObjectEntry, Opened, Page, ReadPlace } from "../contract.ts";
import { entryOf } from "../manifest/entry.ts";
import { type Manifest, openManifest } from "../manifest/rows.ts";
import { openUrl } from "./object.ts";
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
    const object = await openUrl(url, entry, this.#budget, this.#reach);
    if (entry.size === null || object.size === null || object.size === entry.size) return object;
    await object.close();
    throw new ItemError(`it has ${object.size} bytes, and ${entry.size} by the manifest`, {
      code: "copy.size",
    });
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
