import { describe } from "node:test";
import { conformance } from "../conformance.ts";
import { environmentOf } from "./access.ts";
import { startBlobs, whyNoBlobs } from "./start.ts";

describe("Azure Blob as a location of objects", { skip: whyNoBlobs() }, () => {
  conformance(async () => {
    const server = await startBlobs();
    return {
      environment: environmentOf(server.access),
      // Its pages are so long that others test them, by filling the stub.
      others: 300,
      bucket: (name) => server.container(name),
      stop: () => server.stop(),
    };
  });
});
