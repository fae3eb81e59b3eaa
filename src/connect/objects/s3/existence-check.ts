import { BucketExistenceCheck, type KnownPage, presentIn } from "../bucket-service/existence-check.ts";
import type { S3Client } from "./client.ts";
import { listObjects } from "./list-objects.ts";

const PAGE_SIZE = 1000;

/** A listing of S3 begins after any key: the last page is kept, since the next keys mostly lie in it. */
export class S3ExistenceCheck extends BucketExistenceCheck {
  readonly #client: S3Client;

  constructor(client: S3Client, prefix: string) {
    super(client, prefix, { pageSize: PAGE_SIZE, mostPages: 1 });
    this.#client = client;
  }

  /** A page that begins with the first key: it is listed after all but the last character of that key. */
  protected override async list([first = ""]: readonly string[]): Promise<KnownPage> {
    const after = first.replace(/.$/su, "");
    const { entries, token, last } = await listObjects(this.#client, this.prefix, { after }, PAGE_SIZE);
    const to = token === null ? null : (last ?? after);
    return { prefix: "", after, to, present: presentIn(entries), next: null };
  }
}
