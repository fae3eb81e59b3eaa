import type { IncomingHttpHeaders } from "node:http";
import type { BucketService } from "../bucket-service/service.ts";
import { METADATA_PREFIX, ORIGIN, propertiesOf } from "./properties.ts";

export const AZURE: BucketService = {
  name: "Azure Blob",
  codeByStatus: {
    400: "BadRequest",
    403: "AuthenticationFailed",
    404: "BlobNotFound",
    409: "Conflict",
    412: "ConditionNotMet",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServerBusy",
  },
  fatalCodes: {
    ContainerNotFound: "there is no such container",
    ContainerDisabled: "the container is disabled",
    ContainerBeingDeleted: "the container is being deleted",
    InvalidResourceName: "that is not a name for a container",
    ResourceNotFound: "there is no such account or container",
    AccountIsDisabled: "the account is disabled",
    AuthenticationFailed: "the key or SAS token is not valid there, or has expired",
    InvalidAuthenticationInfo: "the key or SAS token is not valid there",
    NoAuthenticationInformation: "it wants a key or SAS token",
    AuthorizationFailure: "the account does not let this machine or user in",
    AuthorizationPermissionMismatch: "the SAS token or user may not do what is needed",
    AuthorizationProtocolMismatch: "the SAS token is for another protocol",
    AuthorizationResourceTypeMismatch: "the SAS token is for other kinds of resources",
    AuthorizationServiceMismatch: "the SAS token is for another service",
    AuthorizationSourceIPMismatch: "the SAS token is for other addresses",
  },
  listing: { root: "EnumerationResults", elements: ["Blob"], group: "BlobPrefix" },
  listingAdvice: "where a hierarchical namespace lists in an order of its own, copy folder by folder",
  tags: { count: "x-ms-tag-count", query: { comp: "tags" } },
  originHeader: METADATA_PREFIX + ORIGIN,
  isObject: (headers) => headers.etag !== undefined && headers["x-ms-blob-type"] !== undefined,
  etagOf: (headers) => etagOfBlob(text(headers["x-ms-blob-type"]), text(headers["content-md5"])),
  propertiesOf,
};

/** The checksum of a blob. That of an append or a page blob may be older than its bytes. */
export function etagOfBlob(type: string | null, md5: string | null): string | null {
  return type === "BlockBlob" ? md5OfBase64(md5) : null;
}

/** The MD5 that a header or a listing tells in base64, in hex; null of anything else. */
export function md5OfBase64(value: IncomingHttpHeaders[string] | null): string | null {
  return typeof value === "string" && /^[A-Za-z0-9+/]{22}==$/.test(value)
    ? Buffer.from(value, "base64").toString("hex")
    : null;
}

export function base64OfMd5(md5: string): string {
  return Buffer.from(md5, "hex").toString("base64");
}

function text(value: IncomingHttpHeaders[string]): string | null {
  return typeof value === "string" ? value : null;
}
