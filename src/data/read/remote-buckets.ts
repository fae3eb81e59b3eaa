import {
  openRemoteBucket,
  type parseObjectAddress,
  type RemoteBucket,
} from "../../connect/objects/internal.ts";
import { explainRemote } from "./remote-errors.ts";

/** A bucket of S3 or a container of Azure Blob. */
export type BucketAddress = Extract<ReturnType<typeof parseObjectAddress>, { readonly kind: "s3" | "azure" }>;

/** The buckets and containers that one reading of data needs, each opened once, with its connections. */
export class RemoteBuckets implements AsyncDisposable {
  readonly #profile: string | null;
  readonly #open = new Map<string, Promise<RemoteBucket>>();

  /** A profile is one of `~/.aws/config` or `~/.azure/config`; null takes the environment. */
  constructor(profile: string | null) {
    this.#profile = profile;
  }

  async open(address: BucketAddress): Promise<RemoteBucket> {
    const name =
      address.kind === "s3" ? `s3://${address.bucket}` : `az://${address.account}/${address.container}`;
    const opened = this.#open.get(name) ?? openRemoteBucket(address, this.#profile);
    this.#open.set(name, opened);
    try {
      return await opened;
    } catch (error) {
      throw explainRemote(error, name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const buckets = await Promise.allSettled(this.#open.values());
    for (const each of buckets) if (each.status === "fulfilled") await each.value.close();
  }
}
