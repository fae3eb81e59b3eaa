import { randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { PawlError } from "../../errors.ts";
import { makeFolder } from "../../private-folder.ts";
import { ownProcessMark, PROCESS_MARK, processOf } from "../../process-mark.ts";

const NAME = new RegExp(`^pawl-frame-(${PROCESS_MARK})-[0-9a-f]{16}$`);

/**
 * A folder for the files of one run: what is staged and what the engine spills. It is for this user alone and goes with the run; those
 * that killed processes have left in the same place are removed before.
 */
export class RunFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a folder below `parent`, which is made where it is missing. Errors: `data.disk`. */
  static create(parent: string): RunFolder {
    const place = resolve(parent);
    const path = join(place, `pawl-frame-${ownProcessMark}-${randomBytes(8).toString("hex")}`);
    try {
      makeFolder(place);
      removeLeftovers(place);
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      throw new PawlError(
        "data.disk",
        `No folder for a run can be made in ${parent} (${(error as NodeJS.ErrnoException).code}): name another one with \`spill\`.`,
        { cause: error },
      );
    }
    return new RunFolder(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Removes the folders of runs whose process is gone for certain. What cannot be removed stays for a later run. */
function removeLeftovers(place: string): void {
  for (const name of readdirSync(place)) {
    const mark = NAME.exec(name)?.[1];
    if (mark === undefined || processOf(mark) !== "dead" || !isOwn(join(place, name))) continue;
    try {
      rmSync(join(place, name), { recursive: true, force: true });
    } catch {}
  }
}

/** In a folder such as /tmp another user may have made one of such a name. */
function isOwn(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && (process.getuid === undefined || found.uid === process.getuid());
}
