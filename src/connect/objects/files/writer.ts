import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsync,
  futimesSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { access, type FileHandle, lstat, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import type {
  ExistenceCheck,
  ObjectDetails,
  ObjectEntry,
  ObjectReader,
  ObjectWriter,
  PresentObject,
  Upload,
} from "../contract.ts";
import { Disk, ONE_GO_BYTES } from "./disk.ts";
import { explainFile } from "./file-error.ts";
import { etagOfFile, type FileChecksums } from "./file-etag.ts";
import { refusedName } from "./file-name.ts";
import { assertSameFolder, type FolderLocation, folderLocation } from "./folder-location.ts";
import { newPartName, PartFolders } from "./part-files.ts";
import { FileReader } from "./reader.ts";

const PART_BYTES = 8 * 1024 * 1024;
const FOUND_AT_ONCE = 32;

/** A folder that objects are copied to, each as a file: written under another name, flushed, and renamed when whole. */
export class FileWriter implements ObjectWriter {
  readonly name: string;
  readonly #root: string;
  readonly #run: string;
  readonly #parts: PartFolders;
  /** What the root was when it was made ready; null before. */
  #location: FolderLocation | null = null;
  readonly #disk: Disk;
  readonly #checksums: FileChecksums;
  /** Folders that are known to be there and to be no links. */
  readonly #folders = new Map<string, Promise<void>>();
  /** Folders in which names have come up since the last `flush`. */
  #touched = new Set<string>();

  /** `kept` is the folder in which the run keeps what it needs on this machine. */
  constructor(
    root: string,
    { run, kept }: { readonly run: string; readonly kept: string },
    checksums: FileChecksums,
    disk = new Disk(),
  ) {
    this.name = root;
    this.#parts = new PartFolders(run, kept);
    this.#root = root;
    this.#run = run;
    this.#checksums = checksums;
    this.#disk = disk;
  }

  async prepare(dryRun: boolean): Promise<void> {
    const found = await stat(this.#root).catch(() => null);
    if (found !== null && !found.isDirectory())
      throw new PawlError("copy.no-folder", `${this.#root} is a file: name a folder to copy to.`);
    if (dryRun) return;
    try {
      await mkdir(this.#root, { recursive: true });
      await access(this.#root, constants.W_OK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new PawlError(
        "copy.no-folder",
        `Nothing can be written to ${this.#root} (${code}): check the path and its permissions.`,
      );
    }
    this.#location = await folderLocation(this.#root);
    await this.removeOrphans();
  }

  nameProblem(key: string): string | null {
    return refusedName(key);
  }

  isFolderMarker({ key, size, problem }: ObjectEntry): boolean {
    return (
      problem === undefined && size === 0 && key.endsWith("/") && this.nameProblem(key.slice(0, -1)) === null
    );
  }

  existenceCheck(): ExistenceCheck {
    return { find: (keys) => this.#findPresent(keys) };
  }

  async #findPresent(keys: readonly string[]): Promise<ReadonlyMap<string, PresentObject>> {
    const present = new Map<string, PresentObject>();
    for (let at = 0; at < keys.length; at += FOUND_AT_ONCE) {
      await Promise.all(
        keys.slice(at, at + FOUND_AT_ONCE).map(async (key) => {
          const found = await this.#found(join(this.#root, key));
          if (!found?.isFile()) return;
          const etag = this.#checksums.cache?.find(found, null) ?? null;
          present.set(key, { size: Number(found.size), etag });
        }),
      );
    }
    return present;
  }

  async #found(path: string): Promise<BigIntStats | null> {
    if (!this.#disk.isPrompt) return await stat(path, { bigint: true }).catch(() => null);
    try {
      return this.#disk.ask(() => statSync(path, { bigint: true, throwIfNoEntry: false })) ?? null;
    } catch {
      return null;
    }
  }

  async etagOf({ key }: ObjectEntry, { size }: PresentObject, partBytes: number | null): Promise<string> {
    const checksums = { ...this.#checksums, disk: this.#disk };
    return await etagOfFile(join(this.#root, key), { size, partBytes }, checksums);
  }

  async isSource(source: ObjectReader, entry: ObjectEntry): Promise<boolean> {
    if (!(source instanceof FileReader)) return false;
    const [from, to] = await Promise.all(
      [source.where(entry), join(this.#root, entry.key)].map((path) => stat(path).catch(() => null)),
    );
    // A hard link of the same file stays when the other one goes.
    return from?.ino === to?.ino && from?.dev === to?.dev && from?.nlink === 1;
  }

  partBytes(): number {
    return PART_BYTES;
  }

  async put(entry: ObjectEntry, bytes: Buffer, md5: string, described: ObjectDetails): Promise<void> {
    if (bytes.length <= ONE_GO_BYTES && this.#disk.isPrompt)
      return await this.#putWhole(entry, bytes, md5, described);
    const upload = await this.beginUpload(entry, described);
    try {
      await upload.part(0, bytes);
      await upload.complete(bytes.length, md5);
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  async #putWhole(
    entry: ObjectEntry,
    bytes: Buffer,
    md5: string,
    { modified }: ObjectDetails,
  ): Promise<void> {
    const { path, folder, part } = await this.#partOf(entry);
    try {
      const assertIn = (file: number) => this.#assertIn(file, part);
      const written = await writeWhole({ part, path, modified, assertIn }, bytes, this.#disk);
      if (written !== null) this.#checksums.cache?.keep(written, null, md5);
    } catch (error) {
      throw error instanceof PawlError ? error : explainFile(error, path, "write");
    }
    this.#touched.add(folder);
  }

  /** Where an object goes, once there is a folder for it, and under which name it is written. */
  async #partOf({ key }: ObjectEntry): Promise<{ path: string; folder: string; part: string }> {
    const path = join(this.#root, key);
    const folder = dirname(path);
    await this.#folder(folder);
    this.#parts.note(folder);
    return { path, folder, part: join(folder, newPartName(this.#run)) };
  }

  /** A folder that was replaced by a link since it was made would lead what is written out of the root. */
  #assertIn(file: number, part: string): void {
    if (process.platform !== "linux" || this.#location === null) return;
    const lies = realOf(file);
    const should = join(this.#location.path, relative(this.#root, part));
    if (lies === null || lies === should) return;
    rmSync(lies, { force: true });
    throw new ItemError(`${relative(this.#root, dirname(part))} leads out of the target by a link`, {
      code: "copy.link",
    });
  }

  async beginUpload(entry: ObjectEntry, described: ObjectDetails, partBytes = PART_BYTES): Promise<Upload> {
    const { path, folder, part } = await this.#partOf(entry);
    const file = await open(part, NEW_FILE, 0o666).catch((error) => {
      throw explainFile(error, path, "write");
    });
    try {
      this.#assertIn(file.fd, part);
    } catch (error) {
      await file.close();
      throw error;
    }
    return new FileUpload(file, partBytes, part, path, described.modified, () => this.#touched.add(folder));
  }

  /** What is not renamed is removed at once; only a kill leaves something behind. */
  async removeOrphans(): Promise<void> {
    await this.#parts.sweep();
  }

  async flush(): Promise<void> {
    // What was written since the last time may lie where the disk was that is gone.
    if (this.#location !== null) await assertSameFolder(this.#root, this.#location);
    const touched = this.#touched;
    this.#touched = new Set();
    for (const folder of touched) {
      const handle = await open(folder, "r").catch(() => null);
      // Some file systems cannot flush a folder, and need not.
      await handle?.sync().catch(() => {});
      await handle?.close();
    }
  }

  async close(): Promise<void> {
    this.#parts.close();
  }

  /** Makes a folder, below the root and nowhere else: a link that leads out of it is not followed. */
  #folder(path: string): Promise<void> {
    if (path === this.#root) return Promise.resolve();
    let made = this.#folders.get(path);
    if (made === undefined) {
      made = this.#folder(dirname(path)).then(() => this.#makeFolder(path));
      made.catch(() => this.#folders.delete(path));
      this.#folders.set(path, made);
    }
    return made;
  }

  async #makeFolder(path: string): Promise<void> {
    try {
      await mkdir(path);
      this.#touched.add(dirname(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw explainFile(error, path, "write");
      const found = await lstat(path).catch((cause) => {
        throw explainFile(cause, path, "write");
      });
      if (found.isSymbolicLink())
        throw new ItemError(`${relative(this.#root, path)} is a link, and those are not followed`, {
          code: "copy.link",
        });
      if (!found.isDirectory()) throw explainFile(error, path, "write");
    }
  }
}

/** Where an open file lies; null where the system does not tell. */
function realOf(file: number): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${file}`);
  } catch {
    return null;
  }
}

class FileUpload implements Upload {
  readonly partBytes: number;
  readonly #file: FileHandle;
  readonly #part: string;
  readonly #path: string;
  readonly #modified: number | null;
  readonly #done: () => void;

  constructor(
    file: FileHandle,
    partBytes: number,
    part: string,
    path: string,
    modified: number | null,
    done: () => void,
  ) {
    this.partBytes = partBytes;
    this.#file = file;
    this.#part = part;
    this.#path = path;
    this.#modified = modified;
    this.#done = done;
  }

  async part(number: number, bytes: Buffer): Promise<null> {
    try {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(
          bytes,
          at,
          bytes.length - at,
          number * this.partBytes + at,
        );
        at += bytesWritten;
      }
      return null;
    } catch (error) {
      throw explainFile(error, this.#path, "write");
    }
  }

  async complete(size: number): Promise<void> {
    try {
      const { size: written } = await this.#file.stat();
      if (written !== size)
        throw new TransientError("copy.size", `${this.#path} has ${written} bytes instead of ${size}`);
      if (this.#modified !== null) await this.#file.utimes(new Date(), new Date(this.#modified));
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#part, this.#path);
      this.#done();
    } catch (error) {
      if (error instanceof PawlError) throw error;
      throw explainFile(error, this.#path, "write");
    }
  }

  async abort(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#part, { force: true }).catch(() => {});
  }
}

const flush = promisify(fsync);

/** A part file is made by this process, and is not a link. */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/**
 * Writes a small file under the name `part`, flushes it, and renames it to `path`. All but the flush is done on this thread.
 * Resolves with what stands there then; null where that is not what was written any more.
 */
async function writeWhole(
  {
    part,
    path,
    modified,
    assertIn,
  }: {
    readonly part: string;
    readonly path: string;
    readonly modified: number | null;
    /** Throws where an open file does not lie where it should. */
    readonly assertIn: (file: number) => void;
  },
  bytes: Buffer,
  disk: Disk,
): Promise<BigIntStats | null> {
  let file: number | null = null;
  try {
    const opened = disk.ask(() => {
      const opened = openSync(part, NEW_FILE, 0o666);
      file = opened;
      assertIn(opened);
      for (let at = 0; at < bytes.length; ) at += writeSync(opened, bytes, at);
      if (modified !== null) futimesSync(opened, new Date(), new Date(modified));
      return opened;
    });
    // Only this waits for the disk: several do so at once.
    await flush(opened);
    return disk.ask(() => {
      const written = fstatSync(opened, { bigint: true });
      if (Number(written.size) !== bytes.length)
        throw new TransientError("copy.size", `${path} has ${written.size} bytes instead of ${bytes.length}`);
      file = null;
      closeSync(opened);
      renameSync(part, path);
      const stands = statSync(path, { bigint: true, throwIfNoEntry: false });
      const isOurs = stands?.ino === written.ino && stands.mtimeNs === written.mtimeNs;
      return stands !== undefined && isOurs ? stands : null;
    });
  } catch (error) {
    if (file !== null) closeSync(file);
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") rmSync(part, { force: true });
    throw error;
  }
}
