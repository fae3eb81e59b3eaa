import { describe } from "node:test";
import { startBlobs, whyNoBlobs } from "./start.ts";
import { conformance } from "../conformance.ts";

describe("Azure Blob as a place for objects", { skip: whyNoBlobs() }, () => {
  conformance(async () => {
    const server = await startBlobs();
    const { endpoint, account, key } = server.access;
    return {
      environment: {
        AZURE_STORAGE_ACCOUNT: account,
        AZURE_STORAGE_KEY: key,
        AZURE_STORAGE_SERVICE_ENDPOINT: endpoint,
      },
      // Its pages are so long that others test them, by filling the stub.
      others: 300,
      bucket: (name) => server.container(name),
      stop: () => server.stop(),
    };
  });
});
