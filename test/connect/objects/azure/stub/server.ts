import type { IncomingMessage } from "node:http";
import { type Answer, type Asked, type Misbehaviour, Refusal, StubServer } from "../../stub-server.ts";
import type { AzureAccess, BlobServer } from "../access.ts";
import { AzureTestClient } from "../client.ts";
import { answerTo, type BlobListRules, Container } from "./operations.ts";
import { assertAllowed } from "./signature.ts";

export type BlobMisbehaviour = Misbehaviour<BlobListRules>;

const ACCOUNT = "pawltest";

/**
 * A Blob service of our own. Signatures are checked.
 */
export class BlobStub extends StubServer<BlobListRules> implements BlobServer {
  readonly access: AzureAccess = {
    endpoint: `${this.origin}/${ACCOUNT}`,
    account: ACCOUNT,
    // Must never be seen in what Pawl prints or keeps.
    key: Buffer.from("test-Secret-4417").toString("base64"),
  };
  readonly #containers = new Map<string, Container>();

  static async start(): Promise<BlobStub> {
    return new BlobStub(await StubServer.listen());
  }

  async container(name: string): Promise<AzureTestClient> {
    const client = new AzureTestClient(this.access, name);
    await client.create();
    return client;
  }

  /** What a container holds, by itself. */
  held(container: string): Container {
    return this.#containers.get(container) ?? new Container();
  }

  protected override split(path: string): readonly [string, string] {
    const [, , container = "", ...rest] = path.split("/");
    return [container, rest.join("/")];
  }

  protected override answer(request: IncomingMessage, asked: Asked): Answer {
    assertAllowed(request, new URL(request.url ?? "/", this.origin), this.access);
    const rules = { order: same, page: same, ...this.misbehaviour.list };
    return answerTo(asked, this.#containers, rules, (source) => {
      const from = new URL(source);
      const reading = { method: "GET", headers: {} } as IncomingMessage;
      assertAllowed(reading, from, this.access);
      const { bucket, key } = this.askedBy(reading, from.pathname, Buffer.alloc(0));
      const blob = this.held(bucket).blobs.get(key);
      if (blob === undefined) throw new Refusal(404, "CannotVerifyCopySource");
      return blob;
    });
  }

  protected override refused({ code, message }: Refusal): Pick<Answer, "headers" | "body"> {
    const said = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}\nRequestId:1</Message></Error>`;
    return {
      headers: { "content-type": "application/xml", "x-ms-error-code": code },
      body: Buffer.from(said),
    };
  }
}

function same<T>(value: T): T {
  return value;
}
