import { type VerifiedObject, verify } from "../../connect/objects/index.ts";
import { grouped } from "../../count-text.ts";
import { sizeText } from "../../sizes.ts";
import { jsonText, visible } from "../../visible.ts";
import { EXIT } from "../exit-codes.ts";
import { write } from "../terminal/output.ts";

/** The flags of `pawl verify`, as the command line gives them. */
export interface VerifyFlags {
  fromProfile?: string;
  toProfile?: string;
  include?: string[];
  exclude?: string[];
  json?: boolean;
}

/** `pawl verify FROM TO`: prints what differs between two places; exit code 3 when anything does. */
export async function verifyObjects(from: string, to: string, flags: VerifyFlags): Promise<void> {
  const { fromProfile, toProfile, include, exclude, json = false } = flags;
  const counts: Record<VerifiedObject["result"], number> = {
    same: 0,
    missing: 0,
    extra: 0,
    differs: 0,
    unreadable: 0,
  };
  let bytes = 0;
  const found = verify({
    from,
    to,
    ...(fromProfile === undefined ? {} : { fromProfile }),
    ...(toProfile === undefined ? {} : { toProfile }),
    ...(include === undefined ? {} : { include }),
    ...(exclude === undefined ? {} : { exclude }),
  });
  for await (const one of found) {
    counts[one.result]++;
    bytes += one.bytes;
    if (one.result === "same") continue;
    const { key, result, detail } = one;
    const line = json
      ? jsonText({ key, result, detail })
      : `${result.padEnd(11)} ${visible(key)}${detail === null ? "" : `: ${visible(detail)}`}`;
    if (!(await write(`${line}\n`))) return;
  }
  const { same, missing, extra, differs, unreadable } = counts;
  const equal = missing + extra + differs + unreadable === 0;
  const summary = [
    `${grouped(same)} objects are the same on both sides`,
    ...(missing > 0 ? [`${grouped(missing)} missing in ${to}`] : []),
    ...(extra > 0 ? [`${grouped(extra)} only there`] : []),
    ...(differs > 0 ? [`${grouped(differs)} differ`] : []),
    ...(unreadable > 0 ? [`${grouped(unreadable)} could not be compared`] : []),
  ].join(", ");
  await write(json ? `${jsonText({ equal, ...counts, bytes })}\n` : `${summary} (${sizeText(bytes)})\n`);
  process.exitCode = equal ? EXIT.done : EXIT.quarantined;
}
