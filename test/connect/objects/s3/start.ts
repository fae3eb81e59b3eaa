import { skipWithout } from "../../../missing.ts";
import type { ObjectServer } from "./access.ts";
import { whyNoServer } from "./build.ts";
import { S3Server } from "./server.ts";
import { S3Stub } from "./stub/server.ts";

/** Whether the tests of this process run on versitygw, a real server in another language, and not on the stub. */
function isReferee(): boolean {
  return process.env.PAWL_TEST_S3 === "versitygw";
}

/** Why the server that the tests run on cannot be had on this machine; false where it can. For `skip`. */
export function whyNoObjects(): string | false {
  return isReferee() && skipWithout("go", whyNoServer());
}

/** The server that the tests run on: the stub, or where `PAWL_TEST_S3` is `versitygw` that one. */
export async function startObjects(): Promise<ObjectServer> {
  return isReferee() ? await S3Server.start() : await S3Stub.start();
}

/** Puts many objects into a bucket, each with its key as its content; the stub need not be asked for each. */
export async function fillBucket(
  server: ObjectServer,
  bucket: string,
  keys: readonly string[],
): Promise<void> {
  if (server instanceof S3Stub) return server.fill(bucket, keys);
  const client = server.client(bucket);
  for (let at = 0; at < keys.length; at += 50)
    await Promise.all(keys.slice(at, at + 50).map((key) => client.put(key, key)));
}
