import { TransientError } from "../../../errors.ts";
import type { ChecksumThreads, RunningMd5 } from "../compare/checksum-threads.ts";
import { isMd5, multipartEtag } from "../compare/etag.ts";

/**
 * The checksum of an object of which several parts are read at once, compared with the ETag of its source. An MD5 of the
 * whole takes the parts in their order, whatever the order they come in.
 */
export class MultipartChecksum {
  readonly #etag: string | null;
  /** Of the whole; null where nothing needs it. */
  readonly #whole: RunningMd5 | null;
  /** Of each part, where the ETag is made of these; null where it is not. */
  readonly #parts: string[] | null;
  readonly #waiting = new Map<number, { enter: () => void; leave: () => void }>();
  #next = 0;
  #abandoned = false;
  /** Only the provider can say whether it has copied all as it was. */
  #isProviders = false;

  /**
   * `sameParts` says that the source was written in parts like those that are read, `count` of them; `wantsWhole` that the target wants
   * the MD5 of the whole, whatever the source tells.
   */
  constructor(
    etag: string | null,
    { sameParts, count, wantsWhole }: { sameParts: boolean; count: number; wantsWhole: boolean },
    checksums: ChecksumThreads,
  ) {
    this.#etag = etag;
    this.#whole = isMd5(etag) || wantsWhole ? checksums.running() : null;
    this.#parts = sameParts && etag?.endsWith(`-${count}`) ? [] : null;
  }

  /** Whether the ETag is made of the MD5s of the parts, so that `confirm` needs them. */
  get wantsParts(): boolean {
    return this.#parts !== null;
  }

  /** The MD5 of a part, as the target has taken it or we have; null where the provider has copied it and tells none. */
  confirm(number: number, md5: string | null): void {
    if (md5 === null) this.#isProviders = true;
    else if (this.#parts !== null) this.#parts[number] = md5;
  }

  /** Adds the bytes of part `number`, once; waits for the parts before it, so that only parts in work are held in memory. */
  async add(number: number, bytes: Buffer): Promise<void> {
    if (this.#whole === null) return;
    await this.#turn(number);
    await this.#whole.update(bytes);
    const next = this.#waiting.get(++this.#next);
    this.#waiting.delete(this.#next);
    next?.enter();
  }

  /** Ends the waiting of all parts, since one that others wait for will not come. */
  abandon(): void {
    this.#abandoned = true;
    for (const { leave } of this.#waiting.values()) leave();
    this.#waiting.clear();
  }

  #turn(number: number): Promise<void> {
    if (number === this.#next) return Promise.resolve();
    return new Promise<void>((enter, reject) => {
      const leave = () => reject(new Error("A part before this one has failed."));
      if (this.#abandoned) leave();
      else this.#waiting.set(number, { enter, leave });
    });
  }

  /**
   * Once, in any case: rejects where all was read and is not what the source says it holds. Resolves with the MD5 of the whole; null
   * where it was not computed.
   */
  async finish(): Promise<string | null> {
    const md5 = (await this.#whole?.finish()) ?? null;
    if (this.#isProviders || this.#abandoned) return null;
    const found = isMd5(this.#etag) ? md5 : this.#parts === null ? this.#etag : multipartEtag(this.#parts);
    if (found === this.#etag) return md5;
    throw new TransientError(
      "copy.checksum",
      `the checksum of the bytes is ${found} and that of the source ${this.#etag}`,
    );
  }
}
