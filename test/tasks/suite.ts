import { describe } from "node:test";
import { attempts } from "./suite/attempts.ts";
import { calls } from "./suite/calls.ts";
import { flows, flowsAnywhere } from "./suite/flows.ts";
import { queues } from "./suite/queues.ts";
import { schedules } from "./suite/schedules.ts";
import type { OpenPlace } from "./suite/stage.ts";
import { taking } from "./suite/taking.ts";

/**
 * What tasks must do on every driver of the store. What starts processes stands in files of its own, `children.test.ts` and
 * `killed-workers.test.ts`, which run beside it.
 */
export function tasksSuite(name: "SQLite" | "PostgreSQL", open: OpenPlace): void {
  describe(`calls on ${name}`, () => calls(open));
  describe(`what is given to calls on ${name}`, () => taking(open, name));
  describe(`attempts on ${name}`, () => attempts(open));
  describe(`queues on ${name}`, () => queues(open));
  describe(`flows on ${name}`, () => {
    flows(open);
    if (name === "SQLite") flowsAnywhere(open);
  });
  describe(`schedules on ${name}`, () => schedules(open));
}
