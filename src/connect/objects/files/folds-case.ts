import { access, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newPartName } from "./part-name.ts";

/** Whether a folder takes names that differ only by case for one; false where nothing can be written to find out. */
export async function foldsCase(folder: string): Promise<boolean> {
  // A copy from this folder at the same time passes over it.
  const name = newPartName("case");
  try {
    await writeFile(join(folder, name), "", { flag: "wx" });
    return await access(join(folder, name.toUpperCase())).then(
      () => true,
      () => false,
    );
  } catch {
    return false;
  } finally {
    await rm(join(folder, name), { force: true }).catch(() => {});
  }
}
