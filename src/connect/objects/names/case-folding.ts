import { access, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newPartName } from "../files/part-files.ts";

/** How a target compares names: byte for byte, or without regard to case and to the two forms of a letter with an accent. */
export type NameComparison = "exact" | "folded";

/** A text that two names share where the target takes them for one name. */
export function foldedName(name: string, comparison: NameComparison): string {
  return comparison === "exact" ? name : name.normalize("NFC").toLowerCase();
}

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
