import { describe } from "node:test";
import { conformance } from "../conformance.ts";
import { environmentOf } from "./access.ts";
import { fillBucket, startObjects, whyNoObjects } from "./start.ts";
import { S3Stub } from "./stub/server.ts";

describe("S3 as a location of objects", { skip: whyNoObjects() }, () => {
  conformance(async () => {
    const server = await startObjects();
    return {
      environment: environmentOf(server.access),
      names: ["a\tb"],
      foldersAreEmpty: !(server instanceof S3Stub),
      bucket: (name) => server.bucket(name),
      fill: (name, keys) => fillBucket(server, name, keys),
      stop: () => server.stop(),
    };
  });
});
