import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Refusal } from "../../stub-server.ts";
import type { Access } from "../access.ts";

/** How far the clocks of two machines may be apart. */
const SKEW_MS = 15 * 60_000;

/**
 * Checks a request as AWS describes under "Signature Version 4", over the bytes as they were sent: a header is hashed as its
 * bytes, whatever its client took them for. Throws the refusal that S3 answers with.
 */
export function assertSigned(request: IncomingMessage, access: Access): void {
  const given = request.headers.authorization ?? "";
  const found =
    /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      given,
    );
  if (found === null) throw new Refusal(403, "AccessDenied");
  const [, id = "", day = "", region = "", names = "", signature = ""] = found;
  if (id !== access.accessKeyId) throw new Refusal(403, "InvalidAccessKeyId");
  if (region !== access.region) throw new Refusal(400, "AuthorizationHeaderMalformed");
  const at = String(request.headers["x-amz-date"] ?? "");
  if (Math.abs(timeOf(at) - Date.now()) > SKEW_MS) throw new Refusal(403, "RequestTimeTooSkewed");
  const signed = names.split(";");
  const mustBe = Object.keys(request.headers).filter((name) => name === "host" || name.startsWith("x-amz-"));
  if (!mustBe.every((name) => signed.includes(name))) throw new Refusal(403, "AccessDenied");
  const scope = `${day}/${region}/s3/aws4_request`;
  const canonical = createHash("sha256").update(canonicalRequest(request, signed), "latin1").digest("hex");
  let key: Buffer = Buffer.from(`AWS4${access.secretAccessKey}`);
  for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
  const wanted = createHmac("sha256", key)
    .update(["AWS4-HMAC-SHA256", at, scope, canonical].join("\n"))
    .digest();
  if (!timingSafeEqual(wanted, Buffer.from(signature, "hex")))
    throw new Refusal(403, "SignatureDoesNotMatch");
}

/** One character a byte. */
function canonicalRequest(request: IncomingMessage, signed: readonly string[]): string {
  const [path = "", search = ""] = (request.url ?? "").split("?", 2);
  const query = search
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => (pair.includes("=") ? pair : `${pair}=`))
    .sort();
  const headers = signed.map((name) => `${name}:${trimmed(String(request.headers[name] ?? ""))}`);
  return [
    request.method,
    path,
    query.join("&"),
    ...headers,
    "",
    signed.join(";"),
    request.headers["x-amz-content-sha256"],
  ].join("\n");
}

function trimmed(value: string): string {
  return value.replace(/^ +| +$/g, "").replace(/ +/g, " ");
}

function timeOf(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
}
