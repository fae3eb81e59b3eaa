import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import { PawlError } from "../../../errors.ts";
import { setOwn } from "../../../own.ts";
import type { S3Credentials } from "./settings.ts";

interface Signable {
  readonly method: string;
  readonly path: string;
  readonly region: string;
}

export interface Signer {
  /** Adds to the headers of a request what proves who sends it. */
  sign(request: Signable, headers: OutgoingHttpHeaders, credentials: S3Credentials | null): void;
}

const SERVICE = "s3";

/** Loads the optional peer `aws4`. Only buckets need it. */
export async function loadSigner(): Promise<Signer> {
  const { RequestSigner } = await import("aws4").then(
    (aws4) => aws4.default,
    (cause) => {
      throw new PawlError("s3.no-signer", "Buckets need the package aws4: run `npm install aws4`.", {
        cause,
      });
    },
  );
  const keys = new SigningKeys();

  /** Signs with a key that was prepared once: to prepare it anew takes half of the time of a signature. */
  class KeyedSigner extends RequestSigner {
    override signature(): string {
      const key = keys.of(this.credentials.secretAccessKey ?? "", this.getDate(), this.region);
      return createHmac("sha256", key).update(this.stringToSign()).digest("hex");
    }

    /** Headers go out with one byte a character, and a server hashes the bytes. */
    override stringToSign(): string {
      const canonical = hash("sha256", Buffer.from(this.canonicalString(), "latin1"));
      return ["AWS4-HMAC-SHA256", this.getDateTime(), this.credentialString(), canonical].join("\n");
    }

    /** Only spaces are spaces: what JavaScript takes for one may be half of a character. */
    override canonicalHeaders(): string {
      const values = new Map(
        Object.entries(this.request.headers ?? {}).map(([name, value]) => [
          name.toLowerCase(),
          String(value),
        ]),
      );
      return this.signedHeaders()
        .split(";")
        .map(
          (name) => `${name}:${(values.get(name) ?? "").replace(/^[ \t]+|[ \t]+$/g, "").replace(/ +/g, " ")}`,
        )
        .join("\n");
    }
  }

  return {
    sign: ({ method, path, region }, headers, credentials) => {
      if (credentials === null) return;
      const signed = new KeyedSigner({ method, path, region, headers, service: SERVICE }, credentials).sign();
      for (const [name, value] of Object.entries(signed.headers ?? {})) setOwn(headers, name, value);
    },
  };
}

/** The key of a day, as Signature Version 4 derives it from a secret. */
class SigningKeys {
  readonly #keys = new Map<string, KeyObject>();

  of(secret: string, date: string, region: string): KeyObject {
    const name = `${date} ${region} ${secret}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      let derived = Buffer.from(`AWS4${secret}`);
      for (const part of [date, region, SERVICE, "aws4_request"])
        derived = createHmac("sha256", derived).update(part).digest();
      key = createSecretKey(derived);
      // Of the days before, none is needed any more.
      this.#keys.clear();
      this.#keys.set(name, key);
    }
    return key;
  }
}
