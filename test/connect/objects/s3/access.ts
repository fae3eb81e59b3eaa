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
