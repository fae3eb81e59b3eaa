import { PawlError, TransientError } from "../../../errors.ts";
import { isTransientFailure, ResponseError } from "../http/response-error.ts";
import { retryRequest } from "../http/retry.ts";
import { S3Client } from "./client.ts";
import { s3SettingsOf } from "./settings.ts";

/** A bucket, and the prefix that stands for a folder in it: empty, or ending in `/`. */
export interface BucketPlace {
  readonly bucket: string;
  readonly prefix: string;
  /** A profile of `~/.aws/config`; null takes the environment. */
  readonly profile: string | null;
}

export function nameOf({ bucket, prefix }: BucketPlace): string {
  return `s3://${bucket}/${prefix}`.replace(/\/$/, "");
}

export async function clientOf({ bucket, profile }: BucketPlace): Promise<S3Client> {
  return await S3Client.open(bucket, await s3SettingsOf(profile));
}

/** Tries to list one key, so that what is wrong with a whole place is said at once. */
export async function checkPlace(name: string, list: () => Promise<unknown>): Promise<void> {
  try {
    await retryRequest(list, new AbortController().signal, (error) => {
      // Silence has taken a minute already, of which nobody could be told anything yet.
      if (error instanceof TransientError && error.code === "s3.timeout") throw error;
    });
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    if (error.fatal !== null) throw error.fatal;
    if (isTransientFailure(error))
      throw new TransientError("s3.unavailable", `${name} answers ${error.code}`, { cause: error });
    throw new PawlError(
      "s3.refused",
      `${name} cannot be listed: ${error.code}. Check the name, the profile and what it may do there.`,
    );
  }
}
