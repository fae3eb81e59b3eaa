import { createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Refusal } from "../../stub-server.ts";
import type { AzureAccess } from "../access.ts";
import { accountSas } from "../client.ts";

/** Checks a request as Azure documents under "Authorize with Shared Key", or its SAS. Throws the refusal that Azure answers with. */
export function assertAllowed(request: IncomingMessage, url: URL, access: AzureAccess): void {
  const refused = new Refusal(403, "AuthenticationFailed", "Server failed to authenticate the request.");
  const { authorization } = request.headers;
  if (authorization === undefined) {
    const given = url.searchParams;
    const until = new Date(given.get("se") ?? "");
    if (given.get("sr") === "b") {
      if (given.get("sig") !== blobSas(url, access)) throw refused;
      if (request.method !== "GET") throw new Refusal(403, "AuthorizationPermissionMismatch");
      return;
    }
    if (Number.isNaN(until.getTime()) || until.getTime() < Date.now()) throw refused;
    if (given.get("sig") !== accountSas(access, given.get("sp") ?? "", until).sig) throw refused;
    const needed = { GET: "r", HEAD: "r", PUT: "w", DELETE: "d" }[request.method ?? ""] ?? "";
    if (!given.get("sp")?.includes(given.get("comp") === "list" ? "l" : needed))
      throw new Refusal(403, "AuthorizationPermissionMismatch");
    return;
  }
  const { headers } = request;
  const length = headers["content-length"] === "0" ? "" : (headers["content-length"] ?? "");
  const own = Object.keys(headers).filter((name) => name.startsWith("x-ms-"));
  // As .NET compares: without hyphens, and with an underscore before all others.
  const order = (name: string) => name.replace(/-/g, "").replace(/_/g, " ");
  own.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const text = [
    request.method,
    headers["content-encoding"] ?? "",
    headers["content-language"] ?? "",
    length,
    headers["content-md5"] ?? "",
    headers["content-type"] ?? "",
    "",
    headers["if-modified-since"] ?? "",
    headers["if-match"] ?? "",
    headers["if-none-match"] ?? "",
    headers["if-unmodified-since"] ?? "",
    headers.range ?? "",
    ...own.map((name) => `${name}:${headers[name]}`),
    `/${access.account}${url.pathname}`,
    ...[...new Set(url.searchParams.keys())].sort().map((name) => `${name}:${url.searchParams.get(name)}`),
  ].join("\n");
  if (authorization !== `SharedKey ${access.account}:${hmac(access, text)}`) throw refused;
}

/** "Create a service SAS": of one blob. */
function blobSas(url: URL, access: AzureAccess): string {
  const given = url.searchParams;
  const [, , ...names] = decodeURIComponent(url.pathname).split("/");
  const resource = `/blob/${access.account}/${names.join("/")}`;
  const empty = Array.from({ length: 7 }, () => "");
  const fields = [given.get("sp"), "", given.get("se"), resource, "", "", "", given.get("sv"), "b", ...empty];
  return hmac(access, fields.join("\n"));
}

function hmac({ key }: AzureAccess, text: string): string {
  return createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
}
