import { randomBytes } from "node:crypto";
import { access, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Whether a folder takes names that differ only by case for one; false where nothing can be written to find out. */
export async function foldsCase(folder: string): Promise<boolean> {
  const name = `.pawl-case-${randomBytes(6).toString("hex")}-a`;
  try {
    await writeFile(join(folder, name), "");
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
