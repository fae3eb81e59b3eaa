import { describe } from "node:test";
import { attempts } from "./suite/attempts.ts";
import { calls } from "./suite/calls.ts";
import { children } from "./suite/children.ts";
import { flows } from "./suite/flows.ts";
import { killing } from "./suite/killing.ts";
import { queues } from "./suite/queues.ts";
import { schedules } from "./suite/schedules.ts";
import type { OpenPlace } from "./suite/stage.ts";
import { taking } from "./suite/taking.ts";

/** What tasks must do on every driver of the store. */
export function tasksSuite(name: string, open: OpenPlace): void {
  describe(`calls on ${name}`, () => calls(open));
  describe(`what is given to calls on ${name}`, () => taking(open));
  describe(`attempts on ${name}`, () => attempts(open));
  describe(`children on ${name}`, () => children(open));
  describe(`queues on ${name}`, () => queues(open));
  describe(`flows on ${name}`, () => flows(open));
  describe(`schedules on ${name}`, () => schedules(open));
  describe(`killed workers on ${name}`, () => killing(open));
}
