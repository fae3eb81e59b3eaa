import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { makePictures, serveFolder, writeManifest } from "./gallery.ts";

const USAGE = "usage: node old-provider.ts --init --size 24 [--folder old] [--port 8090]";

/** An old provider to move away from: makes sample pictures and `urls.csv`, and serves them until Ctrl-C. */
const { values } = parseArgs({
  options: {
    init: { type: "boolean", default: false },
    size: { type: "string", default: "24" },
    folder: { type: "string", default: "old" },
    port: { type: "string", default: "8090" },
  },
});
const size = Number(values.size);
if (!Number.isSafeInteger(size) || size < 1) {
  console.error(USAGE);
  process.exit(2);
}
const server = serveFolder(values.folder).listen(Number(values.port), "127.0.0.1");
await once(server, "listening");
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
if (values.init) {
  const names = await makePictures(values.folder, size);
  // A link that leads nowhere, and a name that leads out of its folder: manifests have such rows.
  await writeManifest("urls.csv", base, [...names, "missing.jpeg", "../outside.jpeg"]);
}
console.log(`serving ${values.folder} at ${base}`);
