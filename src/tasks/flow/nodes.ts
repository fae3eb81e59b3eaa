import { PawlError } from "../../errors.ts";
import type { AnyLink } from "./link.ts";
import type { LinkSpec, NodeSpec } from "./spec.ts";

/** The task that returns what it is given: it ends a group whose results are what the flow gives, and begins flows on a schedule. */
export const PASS = "pawl.pass";

/** The body that a group has by itself. */
export function passIn(queue: string | undefined): LinkSpec {
  return { name: PASS, queue: queue ?? "default", retentionMs: PASS_RETENTION_MS };
}

const PASS_RETENTION_MS = 7 * 86_400_000;

/** The queue in which a node begins. */
export function queueOf(node: NodeSpec | undefined): string | undefined {
  const first = node?.[0];
  if (first === undefined) return undefined;
  return "members" in first ? first.body.queue : first.queue;
}

/** A link that stands where it must be stored with what comes before it. */
export function nodeOf(link: AnyLink): NodeSpec {
  if (typeof (link as Partial<AnyLink> | null)?.compose !== "function") {
    throw new PawlError(
      "flow.link",
      `A flow is made of tasks and flows, and ${link === null ? "null" : `a value of type ${typeof link}`} is neither: write task.with(input).`,
    );
  }
  const { node } = link.compose();
  if (node !== null) return node;
  throw new PawlError(
    "flow.stream",
    "Members that are read as they are stored can only be the beginning of a flow: give this group an array.",
  );
}
