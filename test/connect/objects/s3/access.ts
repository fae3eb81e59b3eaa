import type { S3Client } from "./client.ts";

/** What a client needs to know of a server, and nothing that is worth keeping secret. */
export interface Access {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

/** A throwaway S3 server: the stub of the gate, or a real one. */
export interface ObjectServer extends AsyncDisposable {
  readonly access: Access;
  /** A client of the tests' own, for looking and preparing. */
  client(bucket: string): S3Client;
  /** A new, empty bucket. */
  bucket(name: string): Promise<S3Client>;
  /** Removes a bucket with all that is in it, faster than by requests. */
  dropBucket(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** The variables with which the tools of AWS find a server. */
export function environmentOf({
  endpoint,
  accessKeyId,
  secretAccessKey,
  region,
}: Access): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: region,
  };
}

/** A profile of `~/.aws/config` with which they find it at an endpoint. */
export function profileOf(
  name: string,
  { endpoint, accessKeyId, secretAccessKey, region }: Access,
  at = endpoint,
): string {
  return [
    `[profile ${name}]`,
    `endpoint_url = ${at}`,
    `region = ${region}`,
    `aws_access_key_id = ${accessKeyId}`,
    `aws_secret_access_key = ${secretAccessKey}`,
    "",
    "",
  ].join("\n");
}
