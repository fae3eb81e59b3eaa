import { PawlError } from "../../../errors.ts";

/**
 * Throws a PawlError `copy.address` where a text is not the name of a bucket. Some tools take keys in front of it
 * (`s3://KEY:SECRET@bucket`), so that it is not repeated.
 */
export function assertBucketName(name: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(name)) return;
  throw new PawlError(
    "copy.address",
    "What stands behind s3:// is not the name of a bucket, which has letters, digits, dots and hyphens: write s3://bucket/prefix, and give keys by the environment or a profile.",
  );
}
