import { isMultipartEtag } from "../compare/etag.ts";

const MB = 1024 * 1024;

/** An object that is not larger goes in one piece, held in memory; anything else in parts. */
const SMALL = 16 * MB;
/** The parts of larger ones. */
const PART = 8 * MB;
/** Parts that a source asks for are held in memory too. */
const LARGEST_PART = 32 * MB;
/** S3 takes no more parts than this, and none smaller than 5 MB but the last. */
const MOST_PARTS = 10_000;
const LEAST_PART = 5 * MB;

export function isSmall(size: number): boolean {
  return size <= SMALL;
}

/** Whether to copy an object in one piece. One that was uploaded in parts keeps them, since its ETag is made of theirs. */
export function fitsOneRequest({
  size,
  etag,
}: {
  readonly size: number | null;
  readonly etag: string | null;
}): boolean {
  return size !== null && isSmall(size) && !isMultipartEtag(etag);
}

/** How many bytes a part has of an object of so many. */
export function partBytesOf(size: number): number {
  return Math.max(PART, Math.ceil(size / MOST_PARTS / MB) * MB);
}

/** Whether an object can be written in parts of the size that its source has. */
export function partsFit(partBytes: number, size: number): boolean {
  return partBytes >= LEAST_PART && partBytes <= LARGEST_PART && Math.ceil(size / partBytes) <= MOST_PARTS;
}
