import { type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Under whose name the server runs. */
export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The account of a server that root starts. PostgreSQL refuses root, and `nobody` is shared with other services, which
 * could then read the server's files and memory. The number lies in the range that systemd keeps for accounts without
 * a name, and the server needs none.
 */
const server: ServerAccount = { uid: 63_079, gid: 63_079 };

/**
 * `initdb` looks its account up by name, so it runs as `nobody`, the one that practically every Linux and BSD has, in
 * the server's group, which lets it pass where only the server may.
 */
export const named: ServerAccount = { uid: 65_534, gid: server.gid };

/** The account for the server; null means that it may run as the user that runs this process. */
export function serverAccount(): ServerAccount | null {
  return process.getuid?.() === 0 ? server : null;
}

/** Whether the server's account may enter every folder above a path. */
export function mayReach(path: string, account: ServerAccount | null): boolean {
  if (account === null) return true;
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    if (!mayEnter(statSync(folder), account)) return false;
    if (folder === dirname(folder)) return true;
  }
}

function mayEnter(folder: Stats, account: ServerAccount): boolean {
  if (folder.uid === account.uid) return (folder.mode & 0o100) !== 0;
  if (folder.gid === account.gid) return (folder.mode & 0o010) !== 0;
  return (folder.mode & 0o001) !== 0;
}
