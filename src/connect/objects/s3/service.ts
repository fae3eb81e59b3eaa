import type { IncomingHttpHeaders } from "node:http";
import type { BucketService } from "../bucket-service/service.ts";
import { unquotedEtag } from "../compare/etag.ts";
import { METADATA_PREFIX, ORIGIN, propertiesOf } from "./properties.ts";

/** S3, and whatever else speaks its protocol. */
export const S3: BucketService = {
  name: "S3",
  codeByStatus: {
    301: "PermanentRedirect",
    400: "BadRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    412: "PreconditionFailed",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
  },
  fatalCodes: {
    NoSuchBucket: "there is no such bucket",
    InvalidBucketName: "that is not a name for a bucket",
    InvalidAccessKeyId: "the access key is not known there",
    SignatureDoesNotMatch: "the secret key is not the one of the access key",
    ExpiredToken: "the session token has expired",
    InvalidToken: "the session token is not valid",
    AuthorizationHeaderMalformed: "the region is another one",
    PermanentRedirect: "the bucket is in another region or behind another endpoint",
    RequestTimeTooSkewed: "the clock of this machine is wrong",
    AllAccessDisabled: "all access to it is disabled",
    AccountProblem: "there is a problem with the account",
  },
  listing: {
    root: "ListBucketResult",
    elements: ["Contents", "CommonPrefixes"],
    group: "CommonPrefixes",
  },
  listingAdvice: "use another endpoint of this provider, or a manifest",
  tags: { count: "x-amz-tagging-count", query: { tagging: "" } },
  originHeader: METADATA_PREFIX + ORIGIN,
  isObject: ({ etag }) => etag !== undefined,
  etagOf: ({ etag }) => unquotedEtag(etag),
  propertiesOf,
};

/** Whether an object is encrypted with a key of the key service: its ETag then looks like an MD5 but is not one. */
export function isEncryptedByKey(headers: IncomingHttpHeaders): boolean {
  const encryption = headers["x-amz-server-side-encryption"];
  return typeof encryption === "string" && encryption.startsWith("aws:kms");
}
