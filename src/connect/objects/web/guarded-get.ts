import { lookup } from "node:dns";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { ItemError, TransientError } from "../../../errors.ts";
import type { ResponseBudget } from "../http/response-budget.ts";
import { type AddressScope, scopeOf } from "./address-scope.ts";

const MOST_REDIRECTS = 10;
const LONGEST_URL = 64 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Connections to servers that a manifest names are kept; those to where these lead are not, so that each is checked. */
const agents = {
  "http:": new http.Agent({ keepAlive: true, scheduling: "lifo" }),
  "https:": new https.Agent({ keepAlive: true, scheduling: "lifo" }),
};

/**
 * Requests what a URL names, and follows redirects, without what belongs to the first server alone. The URL may name any address, but
 * no redirect is followed to an address that is nearer to this machine than the server that sends it, such as to a private, loopback
 * or link-local address from a public one (server-side request forgery), by whatever name or form. Rejects with one sentence for
 * people that tells nothing of a query.
 */
export async function guardedGet(
  named: URL,
  budget: ResponseBudget,
  reach: (address: string) => AddressScope = scopeOf,
  headers: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage> {
  let url = named;
  let nearest: AddressScope | null = null;
  for (let redirects = 0; ; redirects++) {
    const response = await ask(url, { nearest, reach }, budget, headers);
    const { statusCode = 0 } = response;
    const { location } = response.headers;
    if (!REDIRECTS.has(statusCode) || location === undefined) return response;
    const connected = reach(response.socket.remoteAddress ?? "");
    response.destroy();
    const refused = (why: string) => new ItemError(`${url.host}: ${why}`, { code: "copy.host" });
    if (redirects === MOST_REDIRECTS) throw refused("it redirects from one address to the next without end");
    const next = location.length > LONGEST_URL ? null : URL.parse(location, url.href);
    if (next === null || !/^https?:$/.test(next.protocol))
      throw refused("it redirects to what is not a URL of the web");
    next.username = "";
    next.password = "";
    nearest = nearest === null || connected < nearest ? connected : nearest;
    url = next;
  }
}

/** How near an address may be; null for any. */
interface Bound {
  readonly nearest: AddressScope | null;
  readonly reach: (address: string) => AddressScope;
}

function ask(
  url: URL,
  bound: Bound,
  { headMs, silenceMs }: ResponseBudget,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingMessage> {
  const isNear = (address: string) => bound.nearest !== null && bound.reach(address) > bound.nearest;
  const isSecure = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    if (isIP(host) !== 0 && isNear(host)) return reject(refusedRedirect(host));
    const request = (isSecure ? https : http).request(url, {
      // Packed bytes would not be those that were announced.
      headers: { "accept-encoding": "identity", "user-agent": "pawl", accept: "*/*", ...headers },
      ...(bound.nearest === null
        ? { agent: agents[url.protocol as keyof typeof agents] }
        : { agent: false, lookup: guardedLookup(isNear) }),
    });
    const giveUp = (what: string) =>
      request.destroy(new TransientError("http.timeout", `${url.host} ${what}`));
    const deadline = setTimeout(() => giveUp(`has not answered for ${headMs / 1000} s`), headMs);
    request.setTimeout(silenceMs, () => giveUp(`has been silent for ${silenceMs / 1000} s`));
    request.once("error", (error) => {
      clearTimeout(deadline);
      reject(error);
    });
    request.once("response", (response) => {
      clearTimeout(deadline);
      request.setTimeout(0);
      // A later error reaches the reader of the response.
      request.on("error", () => {});
      const address = response.socket.remoteAddress ?? "";
      if (isNear(address)) {
        response.destroy();
        reject(refusedRedirect(url.host));
      } else resolve(response);
    });
    request.end();
  });
}

/** Looks a name up, and gives none of its addresses where one is nearer than allowed: they are those that are connected to. */
function guardedLookup(isNear: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      if (addresses.some(({ address }) => isNear(address))) return callback(refusedRedirect(hostname), "", 0);
      if (options.all) return callback(null, addresses);
      const [first] = addresses;
      callback(null, first?.address ?? "", first?.family ?? 0);
    });
  };
}

function refusedRedirect(host: string): ItemError {
  return new ItemError(
    `it leads to ${host}, an address of this machine or of a private network: name that address itself if it is meant`,
    { code: "copy.redirect" },
  );
}
