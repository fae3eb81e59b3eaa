import { skipWithout } from "../../../missing.ts";
import type { BlobServer } from "./access.ts";
import { Azurite, whyNoAzurite } from "./azurite.ts";
import { BlobStub } from "./stub/server.ts";

/** Whether the tests of this process run on Azurite, Microsoft's own emulator, and not on the stub. */
function isReferee(): boolean {
  return process.env.PAWL_TEST_AZURE === "azurite";
}

/** Why the server that the tests run on cannot be had on this machine; false where it can. For `skip`. */
export function whyNoBlobs(): string | false {
  return isReferee() && skipWithout("azurite", whyNoAzurite());
}

/** The server that the tests run on: the stub, or where `PAWL_TEST_AZURE` is `azurite` that one. */
export async function startBlobs(): Promise<BlobServer> {
  return isReferee() ? await Azurite.start() : await BlobStub.start();
}
