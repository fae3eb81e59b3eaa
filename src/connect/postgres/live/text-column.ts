/** PostgreSQL's number of the type text, from `pg_type.dat`. */
const textType = 25;
const headerBytes = 20;

/**
 * Texts as a parameter of type `text[]` in the binary form of the protocol (`array_recv` in PostgreSQL's source): a
 * header, then each text behind its length. It is built outside of the heap as the texts come, so that a chunk that waits
 * to be written holds no strings that the collector would have to carry along.
 */
export class TextColumn {
  length = 0;
  #bytes = Buffer.allocUnsafe(4096);
  #end = headerBytes;
  #hasNull = false;

  push(text: string | null): void {
    const most = text === null ? 4 : 4 + text.length * 3;
    if (this.#end + most > this.#bytes.length) this.#grow(most);
    if (text === null) {
      this.#hasNull = true;
      this.#bytes.writeInt32BE(-1, this.#end);
      this.#end += 4;
    } else {
      const size = this.#bytes.write(text, this.#end + 4);
      this.#bytes.writeInt32BE(size, this.#end);
      this.#end += 4 + size;
    }
    this.length++;
  }

  /** One of the texts; takes time, and is meant for few. */
  at(index: number): string | null {
    let found: string | null = null;
    this.#each((text, at) => {
      if (at === index) found = text();
    });
    return found;
  }

  /** The same texts without some. */
  without(dropped: ReadonlySet<number>): TextColumn {
    const kept = new TextColumn();
    this.#each((text, at) => {
      if (!dropped.has(at)) kept.push(text());
    });
    return kept;
  }

  /** As a parameter of a query. */
  parameter(): Buffer {
    const bytes = this.#bytes;
    bytes.writeInt32BE(this.length === 0 ? 0 : 1, 0);
    bytes.writeInt32BE(this.#hasNull ? 1 : 0, 4);
    bytes.writeInt32BE(textType, 8);
    bytes.writeInt32BE(this.length, 12);
    bytes.writeInt32BE(1, 16);
    return bytes.subarray(0, this.length === 0 ? 12 : this.#end);
  }

  #each(visit: (text: () => string | null, at: number) => void): void {
    let place = headerBytes;
    for (let at = 0; at < this.length; at++) {
      const size = this.#bytes.readInt32BE(place);
      const start = place + 4;
      visit(() => (size < 0 ? null : this.#bytes.toString("utf8", start, start + size)), at);
      place = start + Math.max(0, size);
    }
  }

  #grow(more: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + more));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}
