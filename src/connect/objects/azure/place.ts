import { PawlError, TransientError } from "../../../errors.ts";
import { isTransientFailure, ResponseError } from "../http/response-error.ts";
import { retryRequest } from "../http/retry.ts";
import { AzureClient } from "./client.ts";
import { azureSettingsOf } from "./settings.ts";

/** A container, and the prefix that stands for a folder in it: empty, or ending in `/`. */
export interface ContainerPlace {
  readonly account: string;
  readonly container: string;
  readonly prefix: string;
  /** A section of `~/.azure/config`; null takes the environment. */
  readonly profile: string | null;
}

export function nameOf({ account, container, prefix }: ContainerPlace): string {
  return `az://${account}/${container}/${prefix}`.replace(/\/$/, "");
}

export async function azureClientOf({ account, container, profile }: ContainerPlace): Promise<AzureClient> {
  return new AzureClient(container, await azureSettingsOf(account, profile));
}

/** Tries to list one key, so that what is wrong with a whole place is said at once. */
export async function checkContainer(name: string, list: () => Promise<unknown>): Promise<void> {
  try {
    await retryRequest(list, new AbortController().signal, (error) => {
      // Silence has taken a minute already, of which nobody could be told anything yet.
      if (error instanceof TransientError && error.code === "azure.timeout") throw error;
    });
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    if (error.fatal !== null) throw error.fatal;
    if (isTransientFailure(error))
      throw new TransientError("azure.unavailable", `${name} answers ${error.code}`, { cause: error });
    throw new PawlError(
      "azure.refused",
      `${name} cannot be listed: ${error.code}. Check the name, the credentials and what they allow there.`,
    );
  }
}
