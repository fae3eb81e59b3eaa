import { chownSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { PawlError } from "../../../errors.ts";

/** Under whose name the server runs. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` on practically every Linux and BSD; PostgreSQL needs an unprivileged id, not a name. */
const nobody: Account = { uid: 65_534, gid: 65_534 };

/** PostgreSQL refuses to run as root; null means that it may run as whoever runs us. */
export function serverAccount(): Account | null {
  return process.getuid?.() === 0 ? nobody : null;
}

/** Says which folder stands in the way when the server's account could not reach a path. */
export function checkReach(path: string, account: Account | null): void {
  if (account === null) return;
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    if (!mayEnter(statSync(folder), account)) {
      throw new PawlError(
        "postgres.embedded.folder",
        `PostgreSQL does not run as root, and the user it runs as instead (nobody) may not enter ${folder}: ` +
          "work in a folder that everyone may enter, run as an ordinary user, or name a server with --into.",
      );
    }
    if (folder === dirname(folder)) return;
  }
}

export function giveTo(path: string, account: Account | null): void {
  if (account !== null) chownSync(path, account.uid, account.gid);
}

function mayEnter(folder: Stats, account: Account): boolean {
  if (folder.uid === account.uid) return (folder.mode & 0o100) !== 0;
  if (folder.gid === account.gid) return (folder.mode & 0o010) !== 0;
  return (folder.mode & 0o001) !== 0;
}
