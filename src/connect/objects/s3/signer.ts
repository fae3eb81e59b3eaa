import type { OutgoingHttpHeaders } from "node:http";
import { PawlError } from "../../../errors.ts";
import type { Credentials } from "./settings.ts";

interface Signable {
  readonly method: string;
  readonly path: string;
  readonly service: string;
  readonly region: string;
}

export interface Signer {
  /** Adds to the headers of a request what proves who sends it. */
  sign(request: Signable, headers: OutgoingHttpHeaders, credentials: Credentials | null): void;
}

/** Loads the optional peer `aws4`. Only buckets need it. */
export async function loadSigner(): Promise<Signer> {
  const aws4 = await import("aws4").catch((cause) => {
    throw new PawlError("s3.no-signer", "Buckets need the package aws4: run `npm install aws4`.", { cause });
  });
  return {
    sign: ({ method, path, service, region }, headers, credentials) => {
      if (credentials === null) return;
      const signed = aws4.default.sign({ method, path, service, region, headers }, credentials);
      Object.assign(headers, signed.headers);
    },
  };
}
