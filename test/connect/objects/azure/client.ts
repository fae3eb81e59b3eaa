import { createHmac } from "node:crypto";
import type { AzureAccess } from "./access.ts";

type Query = Readonly<Record<string, string>>;
type Body = Buffer | string;

export interface ListedBlob {
  readonly key: string;
  readonly size: number;
  readonly md5: string | null;
}

/**
 * A client of the tests' own, so that Pawl's is not judged by itself. It shows an account SAS with all rights, which is signed in
 * another way than what Pawl sends with a key.
 */
export class AzureTestClient {
  readonly container: string;
  readonly #access: AzureAccess;

  constructor(access: AzureAccess, container: string) {
    this.#access = access;
    this.container = container;
  }

  get address(): string {
    return `az://${this.#access.account}/${this.container}`;
  }

  async create(): Promise<void> {
    await this.#send("PUT", null, { restype: "container" });
  }

  async put(key: string, body: Body, headers: Query = {}): Promise<void> {
    await this.#send("PUT", key, {}, { "x-ms-blob-type": "BlockBlob", ...headers }, body);
  }

  /** A blob of blocks, as other programs write large ones: without an MD5 of the whole. */
  async putInBlocks(key: string, blocks: readonly Body[], headers: Query = {}): Promise<void> {
    const ids = blocks.map((_, at) => Buffer.from(`block-${at}`).toString("base64"));
    for (const [at, block] of blocks.entries())
      await this.#send("PUT", key, { comp: "block", blockid: ids[at] as string }, {}, block);
    const list = ids.map((id) => `<Latest>${id}</Latest>`).join("");
    await this.#send("PUT", key, { comp: "blocklist" }, headers, `<BlockList>${list}</BlockList>`);
  }

  /** An append blob of one block. */
  async append(key: string, body: Body): Promise<void> {
    await this.#send("PUT", key, {}, { "x-ms-blob-type": "AppendBlob" }, "");
    await this.#send("PUT", key, { comp: "appendblock" }, {}, body);
  }

  async get(key: string): Promise<{ readonly body: Buffer; readonly headers: Headers }> {
    const response = await this.#send("GET", key);
    return { body: Buffer.from(await response.arrayBuffer()), headers: response.headers };
  }

  async head(key: string): Promise<Headers> {
    return (await this.#send("HEAD", key)).headers;
  }

  async delete(key: string): Promise<void> {
    await this.#send("DELETE", key);
  }

  async all(include: Query = {}): Promise<ListedBlob[]> {
    const listed: ListedBlob[] = [];
    for (let marker = ""; ; ) {
      const query = { comp: "list", restype: "container", ...include, ...(marker === "" ? {} : { marker }) };
      const text = await (await this.#send("GET", null, query)).text();
      for (const [, blob = ""] of text.matchAll(/<Blob>(.*?)<\/Blob>/gs)) {
        const md5 = element(blob, "Content-MD5");
        listed.push({
          key: element(blob, "Name") ?? "",
          size: Number(element(blob, "Content-Length")),
          md5: md5 ? Buffer.from(md5, "base64").toString("hex") : null,
        });
      }
      marker = element(text, "NextMarker") ?? "";
      if (marker === "") return listed;
    }
  }

  async keys(): Promise<string[]> {
    return (await this.all()).map(({ key }) => key);
  }

  async tags(key: string): Promise<Record<string, string>> {
    const text = await (await this.#send("GET", key, { comp: "tags" })).text();
    const tags = [...text.matchAll(/<Tag>(.*?)<\/Tag>/gs)];
    return Object.fromEntries(
      tags.map(([, etag = ""]) => [element(etag, "Key") ?? "", element(etag, "Value") ?? ""]),
    );
  }

  async #send(
    method: string,
    key: string | null,
    query: Query = {},
    headers: Query = {},
    body?: Body,
  ): Promise<Response> {
    const path = key === null ? "" : `/${key.split("/").map(encodeURIComponent).join("/")}`;
    const search = new URLSearchParams({ ...query, ...accountSas(this.#access) });
    const response = await fetch(`${this.#access.endpoint}/${this.container}${path}?${search}`, {
      method,
      headers: { "x-ms-version": "2021-12-02", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : new Uint8Array(body) }),
    });
    if (response.ok) return response;
    throw new Error(`${method} ${path}: ${response.status} ${(await response.text()).slice(0, 500)}`);
  }
}

/** "Create an account SAS", learn.microsoft.com: with all rights unless others are given. */
export function accountSas(
  { account, key }: AzureAccess,
  rights = "rwdlactfx",
  until = new Date(Date.now() + 3_600_000),
): Record<string, string> {
  const se = until.toISOString().replace(/\.\d+Z$/, "Z");
  const fields = [account, rights, "b", "sco", "", se, "", "https,http", "2021-12-02", "", ""];
  const sig = createHmac("sha256", Buffer.from(key, "base64")).update(fields.join("\n")).digest("base64");
  return { sv: "2021-12-02", ss: "b", srt: "sco", sp: rights, se, spr: "https,http", sig };
}

function element(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>(.*?)</${name}>`, "s")
    .exec(xml)?.[1]
    ?.replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replace(/&#x([0-9a-f]+);/gi, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replaceAll("&amp;", "&");
}
