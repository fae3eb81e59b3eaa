import { elementsOf, textOf } from "../buckets/xml.ts";
import { ResponseError } from "../http/response-error.ts";
import type { S3Client } from "./client.ts";
import type { Begun } from "./orphaned-uploads.ts";

/** How far the clocks of two machines may be apart where requests are signed. */
const SKEW_MS = 15 * 60_000;

/** Aborts an upload; one that is gone is no error. */
export async function abortUpload(client: S3Client, key: string, upload: string): Promise<void> {
  try {
    await client.send({ method: "DELETE", key, query: { uploadId: upload } });
  } catch (error) {
    if (!(error instanceof ResponseError && error.status === 404)) throw error;
  }
}

/** Aborts what a begun upload has come to. Where its answer was lost, that is every upload of the key since then. */
export async function abortBegun(client: S3Client, { key, upload, at }: Begun): Promise<void> {
  if (upload !== null) {
    await abortUpload(client, key, upload);
    return;
  }
  const { body } = await client.send({ query: { prefix: key, uploads: "" } });
  for (const element of elementsOf(body.toString("utf8"), "Upload")) {
    const id = textOf(element, "UploadId");
    const initiated = Date.parse(textOf(element, "Initiated") ?? "");
    if (id === null || textOf(element, "Key") !== key || initiated < at - SKEW_MS) continue;
    await abortUpload(client, key, id);
  }
}
