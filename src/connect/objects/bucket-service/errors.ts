import type { IncomingHttpHeaders } from "node:http";
import { PawlError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import { retryAfterMs } from "../../../retry-after.ts";
import { ResponseError } from "../http/response-error.ts";
import type { BucketService } from "./service.ts";
import { rootOf, textOf } from "./xml.ts";

/** The message of an error may be long, and quote what was sent. */
const LONGEST_MESSAGE = 300;

/** How services say that a signature is wrong. */
const SIGNATURE_CODES = new Set(["SignatureDoesNotMatch", "AuthenticationFailed"]);

/** Whether a request was refused although others with the same keys were not: something changed it on its way. */
export function isSignatureRefused({ code, fatal }: ResponseError): boolean {
  return fatal === null && SIGNATURE_CODES.has(code);
}

/**
 * The error that a response is, by its status and its body. `areKeysProven` says that the server has accepted these keys
 * before: then a refused signature concerns one request.
 */
export function bucketError(
  service: BucketService,
  server: string,
  response: { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer },
  areKeysProven = true,
): ResponseError {
  const { status, headers } = response;
  const text = response.body.toString("utf8");
  const header = headers["x-ms-error-code"];
  const code =
    (typeof header === "string" ? header : textOf(text, "Code")) ??
    service.codeByStatus[status] ??
    `HTTP ${status}`;
  const meaning = areKeysProven && SIGNATURE_CODES.has(code) ? undefined : own(service.fatalCodes, code);
  const [message = ""] = (textOf(text, "Message") ?? "").split("\n", 1);
  return new ResponseError({
    status,
    code,
    server,
    message: message.replace(/\bsig=[^&\s'"]*/gi, "sig=…").slice(0, LONGEST_MESSAGE),
    retryAfterMs: retryAfterMs(headers["retry-after"]),
    fatal:
      meaning === undefined
        ? null
        : new PawlError(
            "bucket.refused",
            `${server} cannot be used: ${meaning} (${code}). Check the name, the credentials and the endpoint.`,
          ),
  });
}

/** The error in the body of a response whose status says that all is well; null where there is none. */
export function hiddenError(service: BucketService, server: string, body: Buffer): ResponseError | null {
  return rootOf(body.toString("utf8")).name === "Error"
    ? bucketError(service, server, { status: 500, headers: {}, body })
    : null;
}

/** A proxy that accepts bytes and does not confirm them, such as one that wants people to log in, may have kept none. */
export function notConfirmed(service: BucketService, what: string, header: string): PawlError {
  return new PawlError(
    "bucket.not-confirmed",
    `${what} was answered without ${header}, which ${service.name} always gives: check the endpoint and what is between here and there.`,
  );
}
