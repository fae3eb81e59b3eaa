import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { elementsOf, textOf } from "../bucket-service/xml.ts";
import { ResponseError } from "../http/response-error.ts";
import type { S3Client } from "./client.ts";

/** How far the clocks of two machines may be apart where requests are signed. */
const SKEW_MS = 15 * 60_000;

/** An upload in parts that was begun, or was about to be. */
interface BegunUpload {
  readonly id: string;
  readonly key: string;
  /** When it was asked for, in milliseconds since 1970. */
  readonly at: number;
  /** What the bucket calls it; null where its answer never came. */
  readonly upload: string | null;
}

/**
 * The uploads in parts that a run has begun, kept beside it until they are done: a bucket keeps the parts of one that a
 * killed process has begun, unseen and paid for, until they are aborted.
 */
export class OrphanedUploads {
  readonly #client: S3Client;
  readonly #folder: string;

  /** `folder` is where the run keeps what it needs on this machine. */
  constructor(client: S3Client, folder: string) {
    this.#client = client;
    this.#folder = join(folder, "uploads");
  }

  /** Before a bucket is asked to begin: its answer may be lost. */
  async intend(key: string): Promise<BegunUpload> {
    await mkdir(this.#folder, { recursive: true });
    const intent = { id: randomBytes(8).toString("hex"), key, at: Date.now(), upload: null };
    await this.#write(intent);
    return intent;
  }

  async begun(intent: BegunUpload, upload: string): Promise<BegunUpload> {
    const begun = { ...intent, upload };
    await this.#write(begun);
    return begun;
  }

  async done({ id }: BegunUpload): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  /** Aborts what is not done: after the last object, or what an earlier process of the run has left behind. */
  async abortAll(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    // Any other file was cut off as it was written, before the bucket was asked.
    for (const name of names.filter((each) => each.endsWith(".json"))) {
      const begun: BegunUpload = JSON.parse(await readFile(join(this.#folder, name), "utf8"));
      await this.#abort(begun);
      await this.done(begun);
    }
  }

  /** Where the response that began an upload was lost, all uploads of its key since then are aborted. */
  async #abort({ key, upload, at }: BegunUpload): Promise<void> {
    if (upload !== null) return await abortUpload(this.#client, key, upload);
    const { body } = await this.#client.send({ query: { prefix: key, uploads: "" } });
    for (const element of elementsOf(body.toString("utf8"), "Upload")) {
      const id = textOf(element, "UploadId");
      const initiated = Date.parse(textOf(element, "Initiated") ?? "");
      if (id === null || textOf(element, "Key") !== key || initiated < at - SKEW_MS) continue;
      await abortUpload(this.#client, key, id);
    }
  }

  async #write(entry: BegunUpload): Promise<void> {
    // Under another name first: a rewrite that is cut off must not take the intent away.
    const path = this.#path(entry.id);
    await writeFile(`${path}.new`, JSON.stringify(entry), { flush: true });
    await rename(`${path}.new`, path);
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}

/** Aborts an upload; an upload that is gone is not an error. */
export async function abortUpload(client: S3Client, key: string, upload: string): Promise<void> {
  try {
    await client.send({ method: "DELETE", key, query: { uploadId: upload } });
  } catch (error) {
    if (!(error instanceof ResponseError && error.status === 404)) throw error;
  }
}
