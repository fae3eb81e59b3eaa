import type { AzureTestClient } from "./client.ts";

/** What a client needs to know of a storage account, and nothing that is worth keeping secret. */
export interface AzureAccess {
  /** With the account in its path. */
  readonly endpoint: string;
  readonly account: string;
  readonly key: string;
}

/** A throwaway Blob service: the stub of the gate, or Azurite. */
export interface BlobServer {
  readonly access: AzureAccess;
  /** A new, empty container. */
  container(name: string): Promise<AzureTestClient>;
  stop(): Promise<void>;
}

/** The variables with which the az CLI finds an account. */
export function environmentOf({ endpoint, account, key }: AzureAccess): Record<string, string> {
  return {
    AZURE_STORAGE_ACCOUNT: account,
    AZURE_STORAGE_KEY: key,
    AZURE_STORAGE_SERVICE_ENDPOINT: endpoint,
  };
}
