import { hash } from "node:crypto";

/** A server may pass over what is deleted, a page at a time; so many pages in a row without a key are no listing. */
const MOST_EMPTY_PAGES = 10_000;

/** The tokens of one listing, of which none may come twice: its pages would go round in a circle. */
export class ListingTokens {
  readonly #refuse: (what: string) => Error;
  readonly #seen = new Set<string>();
  #after: string | null = null;
  #empty = 0;

  /** `refuse` makes the error that says why a listing cannot be relied on. */
  constructor(refuse: (what: string) => Error) {
    this.#refuse = refuse;
  }

  /** `after` is the last key so far. */
  add(token: string, after: string | null): void {
    const short = token.length <= 64 ? token : hash("sha256", token);
    if (this.#seen.has(short)) throw this.#refuse("it leads to the same page twice");
    this.#seen.add(short);
    this.#empty = after === this.#after ? this.#empty + 1 : 0;
    this.#after = after;
    if (this.#empty > MOST_EMPTY_PAGES)
      throw this.#refuse(`${MOST_EMPTY_PAGES} of its pages in a row have no keys`);
  }
}
