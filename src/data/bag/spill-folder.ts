import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { privateDirectory } from "../../pool/internal.ts";

/** A folder of one run for what does not fit into memory, for this user alone. What killed processes left is removed first. */
export class SpillFolder implements Disposable {
  readonly path: string = mkdtempSync(join(privateDirectory(tmpdir()), "bag-"));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
