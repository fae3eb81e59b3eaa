import type { IncomingHttpHeaders } from "node:http";
import type { ObjectProperties } from "../contract.ts";

/** What one service for buckets says in other words than another: all that clients, readers and writers share goes by it. */
export interface BucketService {
  /** For people. */
  readonly name: "S3" | "Azure Blob";
  /** Codes of responses without a body, by their status. */
  readonly codeByStatus: Readonly<Record<number, string>>;
  /** Codes that concern the whole bucket and not one object, with what they mean: only a person can help. */
  readonly fatalCodes: Readonly<Record<string, string>>;
  /** Elements of a page of a listing: the outermost, those that must all be closed, and the one that stands for many objects. */
  readonly listing: { readonly root: string; readonly elements: readonly string[]; readonly group: string };
  /** What a person can do where a listing cannot be relied on. */
  readonly listingAdvice: string;
  /** The header that tells how many tags an object has, and the query that asks for them. */
  readonly tags: { readonly count: string; readonly query: Readonly<Record<string, string>> };
  /** The header that keeps the ETag of what an object was copied from, where its own says nothing about its content. */
  readonly originHeader: string;
  /** Whether headers are those of an object, and not those of a proxy that answers in the place of the service. */
  isObject(headers: IncomingHttpHeaders): boolean;
  /** The checksum of an object's content by its headers, in the form of an ETag of S3. */
  etagOf(headers: IncomingHttpHeaders): string | null;
  propertiesOf(headers: IncomingHttpHeaders, tags: string | null): ObjectProperties;
}
