import { own } from "../../../own.ts";
import type { ChecksumThreads } from "../compare/checksum-threads.ts";
import { isMd5 } from "../compare/etag.ts";
import type {
  ExistenceCheck,
  ObjectDetails,
  ObjectEntry,
  ObjectReader,
  ObjectWriter,
  PresentObject,
  Upload,
} from "../contract.ts";
import { partBytesOf } from "../transfer/part-size.ts";
import type { BucketClient } from "./client.ts";
import { assertListable } from "./listed-page.ts";

/** A bucket, or what lies below a prefix in it, that is copied to. A service says how it writes. */
export abstract class BucketWriter<Client extends BucketClient> implements ObjectWriter {
  readonly name: string;
  protected readonly client: Client;
  protected readonly prefix: string;
  protected readonly checksums: ChecksumThreads;

  /** `name` is that of the location, for people. */
  constructor(name: string, prefix: string, client: Client, checksums: ChecksumThreads) {
    this.name = name;
    this.prefix = prefix;
    this.client = client;
    this.checksums = checksums;
  }

  abstract nameProblem(key: string): string | null;
  abstract existenceCheck(how?: "fresh"): ExistenceCheck;
  abstract put(entry: ObjectEntry, bytes: Buffer, md5: string, details: ObjectDetails): Promise<void>;
  abstract copyOnServer(source: ObjectReader, entry: ObjectEntry): Promise<boolean>;
  abstract beginUpload(
    entry: ObjectEntry,
    details: ObjectDetails,
    partBytes?: number,
    source?: ObjectReader,
  ): Promise<Upload>;

  /** Lists one object. */
  protected abstract listOne(): Promise<unknown>;

  async prepare(_dryRun: boolean): Promise<void> {
    await assertListable(this.name, () => this.listOne());
  }

  async etagOf(
    { key }: ObjectEntry,
    { etag }: PresentObject,
    partBytes: number | null,
  ): Promise<string | null> {
    if (isMd5(etag) && partBytes === null) return etag;
    const { headers } = await this.client.send({ method: "HEAD", key: this.prefix + key });
    return (own(headers, this.client.service.originHeader) as string | undefined) ?? etag;
  }

  partBytes(size: number): number {
    return partBytesOf(size);
  }

  async removeOrphans(): Promise<void> {}

  /** A confirmed object is durable. */
  async flush(): Promise<void> {}

  async close(): Promise<void> {
    this.client.close();
  }
}
