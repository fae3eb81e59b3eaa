import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { assertText } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { isUrl, isWebUrl, urlScheme } from "../../url-scheme.ts";
import { shownUrl } from "./web/redacted-url.ts";

/** A location of objects as a person names it. */
export type ObjectAddress =
  | { readonly kind: "files"; readonly path: string }
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string }
  | {
      readonly kind: "azure";
      readonly account: string;
      readonly container: string;
      readonly prefix: string;
    }
  | { readonly kind: "manifest"; readonly path: string };

/** Parses a path, `file:path`, `s3://bucket/prefix`, `az://account/container/prefix` or `manifest:urls.csv`. Throws a PawlError on anything else. */
export function parseObjectAddress(text: string): ObjectAddress {
  assertText(text, "The address of objects");
  if (text.startsWith("s3://")) {
    const [, bucket = "", rest = ""] = /^s3:\/\/([^/]*)\/?(.*)$/s.exec(text) ?? [];
    if (bucket === "")
      throw new PawlError("copy.address", `${text} does not name a bucket: write s3://bucket/prefix.`);
    assertBucketName(bucket);
    return { kind: "s3", bucket, prefix: folderOf(rest) };
  }
  if (text.startsWith("az://")) {
    const [, account = "", container = "", rest = ""] = /^az:\/\/([^/]*)\/?([^/]*)\/?(.*)$/s.exec(text) ?? [];
    // A text that is not such a name may be a URL with a signature: it is not repeated.
    if (
      !/^[a-z0-9-]+$/.test(account) ||
      !/^(\$root|\$web|\$logs|[a-z0-9-]+)$/.test(container) ||
      /[?&]sig=/.test(rest)
    )
      throw new PawlError(
        "copy.address",
        "An address of Azure Blob is written az://account/container/prefix, with the names of an account and a container in lower case and without a SAS token.",
      );
    return { kind: "azure", account, container, prefix: folderOf(rest) };
  }
  if (text.startsWith("file://")) return { kind: "files", path: pathOf(text) };
  if (text.startsWith("file:")) return { kind: "files", path: resolve(text.slice(5)) };
  if (/^manifest:/i.test(text) && isUrl(text.slice(9)))
    throw new PawlError(
      "copy.address",
      "A manifest is a file of this machine: fetch it first, and name its path: manifest:urls.csv.",
    );
  if (text.startsWith("manifest:")) return { kind: "manifest", path: resolve(text.slice(9)) };
  // What a URL holds besides may be a password or a signature: it is not repeated.
  const scheme = urlScheme(text);
  if (isWebUrl(text)) {
    throw new PawlError(
      "copy.address",
      `${shownUrl(text)} is one object of the web, which has no listing: write the URLs and the names that they should have into a CSV with the columns url and name, and copy from manifest:FILE.`,
    );
  }
  if (scheme !== null || text === "")
    throw new PawlError(
      "copy.address",
      `"${scheme === null ? "" : `${scheme}://…`}" is not an address that Pawl knows: give a path, s3://bucket/prefix, az://account/container/prefix or manifest:FILE.`,
    );
  return { kind: "files", path: resolve(text) };
}

function folderOf(prefix: string): string {
  return prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new PawlError(
      "copy.address",
      `${url} is not a folder of this machine (${(error as Error).message}): write file:///path, or only the path.`,
    );
  }
}

/** An address as it is stored and shown. */
export function objectAddressText(address: ObjectAddress): string {
  switch (address.kind) {
    case "files":
      return address.path;
    case "s3":
      return `s3://${address.bucket}/${address.prefix}`.replace(/\/$/, "");
    case "azure":
      return `az://${address.account}/${address.container}/${address.prefix}`.replace(/\/$/, "");
    case "manifest":
      return `manifest:${address.path}`;
  }
}

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
