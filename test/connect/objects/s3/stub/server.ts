import type { IncomingMessage } from "node:http";
import { type Answer, type Asked, type Misbehaviour, type Refusal, StubServer } from "../../stub-server.ts";
import type { Access, ObjectServer } from "../access.ts";
import { S3Client } from "../client.ts";
import { Bucket, md5 } from "./bucket.ts";
import { type ListRules, rightRules } from "./listing.ts";
import { answerTo } from "./operations.ts";
import { assertSigned } from "./signature.ts";
import { element, text } from "./xml.ts";

export type S3Misbehaviour = Misbehaviour<ListRules>;

/**
 * An S3 server of our own. Signatures are checked.
 */
export class S3Stub extends StubServer<ListRules> implements ObjectServer {
  readonly access: Access = {
    endpoint: this.origin,
    accessKeyId: "pawl-test",
    // Must never be seen in what Pawl prints or keeps.
    secretAccessKey: "test-Secret-4417",
    region: "us-east-1",
  };
  readonly #buckets = new Map<string, Bucket>();

  static async start(): Promise<S3Stub> {
    return new S3Stub(await StubServer.listen());
  }

  client(bucket: string): S3Client {
    return new S3Client(this.access, bucket);
  }

  async bucket(name: string): Promise<S3Client> {
    this.#buckets.set(name, new Bucket());
    return this.client(name);
  }

  /** What it holds by itself, whatever it says. */
  holds(bucket: string): Record<string, string> {
    const held = this.#buckets.get(bucket) ?? new Bucket();
    return Object.fromEntries(held.keys().map((key) => [key, held.get(key)?.etag ?? ""]));
  }

  /** What goes along with an object, one character a byte. */
  headersOf(bucket: string, key: string): ReadonlyMap<string, string> {
    return new Map(Object.entries(this.#buckets.get(bucket)?.get(key)?.headers ?? {}));
  }

  /** Puts objects into a bucket without a request, each with its key as its content where no other is given. */
  fill(
    bucket: string,
    keys: readonly string[],
    content?: string | Buffer,
    headers: Record<string, string> = {},
  ): void {
    const held = this.#buckets.get(bucket) ?? new Bucket();
    this.#buckets.set(bucket, held);
    for (const key of keys) {
      const body = typeof content === "object" ? content : Buffer.from(content ?? key);
      held.set(key, { body, etag: md5(body), modified: new Date(), headers, tags: "", parts: null });
    }
  }

  async dropBucket(name: string): Promise<void> {
    this.#buckets.delete(name);
  }

  protected override split(path: string): readonly [string, string] {
    const [, bucket = "", ...rest] = path.split("/");
    return [bucket, rest.join("/")];
  }

  protected override answer(request: IncomingMessage, asked: Asked): Answer {
    assertSigned(request, this.access);
    return answerTo(asked, this.#buckets, { ...rightRules, ...this.misbehaviour.list });
  }

  protected override refused({ code, message }: Refusal): Pick<Answer, "headers" | "body"> {
    const said = element("Error", element("Code", code) + element("Message", text(message)));
    return { headers: { "content-type": "application/xml" }, body: Buffer.from(said) };
  }
}
