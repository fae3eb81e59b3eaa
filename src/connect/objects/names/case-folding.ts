import { access, lstat, opendir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newPartName } from "../files/part-files.ts";

/** How a target compares names: byte for byte, or without regard to case and to the two forms of a letter with an accent. */
export type NameComparison = "exact" | "folded";

/** A text that two names share where the target takes them for one name. */
export function foldedName(name: string, comparison: NameComparison): string {
  return comparison === "exact" ? name : name.normalize("NFC").toLowerCase();
}

/**
 * Whether a folder takes names that differ only by case for one; false where that cannot be found out. A name is written for it and
 * removed, or, where nothing may be written, one that is there is asked for in other letters.
 */
export async function foldsCase(folder: string, mayWrite: boolean): Promise<boolean> {
  if (!mayWrite) return await foldsPresentName(folder);
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

async function foldsPresentName(folder: string): Promise<boolean> {
  try {
    for await (const { name } of await opendir(folder)) {
      const other = name.toUpperCase() === name ? name.toLowerCase() : name.toUpperCase();
      if (other === name) continue;
      const [one, same] = await Promise.all([name, other].map((each) => lstat(join(folder, each))));
      return one?.ino === same?.ino && one?.dev === same?.dev;
    }
  } catch {
    // There is no such folder, or no such name in other letters.
  }
  return false;
}
