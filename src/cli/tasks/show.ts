import { grouped, plural } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";
import type { AttemptRecord, GroupRecord, Json, Store, TaskRecord } from "../../store/contract.ts";
import { groupsWithin } from "../../tasks/internal.ts";
import { jsonText, onOneLine, plain } from "../../visible.ts";
import type { JsonFlag } from "../options/shared.ts";
import { span, utc, utcAndSpan } from "../terminal/format.ts";
import { write } from "../terminal/output.ts";
import { attemptJson, taskJson } from "./json.ts";
import { progressWords, workerName } from "./list.ts";

/** Links of a flow that are looked for. */
const LINKS = 64;

/** Lines of a log, and characters of an input or result, that are shown unless all is asked for. */
const LOG_LINES = 10;
const JSON_CHARACTERS = 400;

export interface ShowFlags extends JsonFlag {
  readonly full?: boolean;
}

interface Seen {
  readonly task: TaskRecord | undefined;
  readonly attempts: readonly AttemptRecord[];
  /** Those that it waits for. */
  readonly waitsFor: GroupRecord | undefined;
  /** Those that it is one of. */
  readonly oneOf: GroupRecord | undefined;
  /** The links of its flow, first to last, as far as their turn has come. */
  readonly links: readonly TaskRecord[];
}

/** `pawl task ID`: all that is known of a task or of a flow. */
export async function showTask(id: string, flags: ShowFlags, store: Store): Promise<void> {
  const seen = await look(id, store);
  if (flags.json) {
    await write(`${jsonText(asJson(id, seen))}\n`);
    return;
  }
  const now = await store.now();
  const lines =
    seen.task === undefined ? [`flow ${id}`] : describe(seen.task, seen, now, flags.full ?? false);
  if (seen.links.length > 0) {
    lines.push(
      seen.task === undefined ? "  its links, as far as their turn has come" : "  links of the flow",
    );
    lines.push(...seen.links.map((link) => `    ${linkLine(link)}`));
  }
  await write(`${lines.join("\n")}\n`);
}

/** The task and what is around it. Throws the PawlError `task.unknown`. */
async function look(id: string, store: Store): Promise<Seen> {
  const [task] = await store.query({ ids: [id] });
  const flow = task === undefined ? id : task.flow;
  const found = flow === null ? [] : await store.query({ ids: linkIds(flow) });
  const links = found.filter(({ flow: group }) => group === flow).sort((a, b) => stage(a) - stage(b));
  if (task === undefined && links.length === 0) throw unknownTask(id, store);
  const member = task?.childOf ?? null;
  return {
    task,
    attempts: task === undefined ? [] : await store.attempts(id),
    waitsFor: task === undefined ? undefined : await store.group(id),
    oneOf: member === null ? undefined : await store.group(member.group),
    links: links.length > 1 || task === undefined ? links : [],
  };
}

export function unknownTask(id: string, store: Store): PawlError {
  return new PawlError(
    "task.unknown",
    `There is no task ${id} in ${store.location}: it was never there, or its retention is over; pawl tasks lists what there is.`,
  );
}

/** The end of a flow has its id; the links before it have a number behind that. */
function linkIds(flow: string): string[] {
  return [...Array.from({ length: LINKS }, (_, n) => `${flow}:${n + 1}`), flow];
}

function stage({ id, flow: group }: TaskRecord): number {
  return id === group ? Number.POSITIVE_INFINITY : Number(id.slice(id.lastIndexOf(":") + 1));
}

function asJson(id: string, { task, attempts, waitsFor, oneOf, links }: Seen) {
  const flow = {
    links: links.map(({ id, name, state }) => ({ id, name, state })),
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(oneOf === undefined ? {} : { oneOf }),
  };
  if (task === undefined) return { flow: { id, ...flow } };
  return {
    ...taskJson(task),
    // Not how often, as in a list, but how.
    attempts: attempts.map(attemptJson),
    flow: task.flow === null ? null : { id: task.flow, ...flow },
  };
}

function describe(task: TaskRecord, seen: Seen, now: number, full: boolean): string[] {
  const { id, state, name, queue, priority, unique, bucket, flow: group, childOf: member } = task;
  const { due, startedAt, settledAt, expiresAt, worker, failures, crashes, error } = task;
  const groups = groupsWithin(task.meta);
  const rows: [string, string | null][] = [
    ["name", name],
    [
      "queue",
      `${queue}${priority === 0 ? "" : `, priority ${priority}`}${bucket === null ? "" : `, bucket ${bucket}`}`,
    ],
    ["unique", unique],
    ["flow", group],
    ["member", member === null ? null : `${member.index} of ${member.group}: ${countWords(seen.oneOf)}`],
    ["members", seen.waitsFor === undefined ? null : countWords(seen.waitsFor)],
    ["enqueued", utcAndSpan(task.createdAt, now)],
    ["due", state === "waiting" ? (due === null ? "held until it is let go" : utcAndSpan(due, now)) : null],
    ["expires", state === "waiting" && expiresAt !== null ? utcAndSpan(expiresAt, now) : null],
    ["begun", startedAt === null ? null : utcAndSpan(startedAt, now)],
    ["ended", settledAt === null ? null : utcAndSpan(settledAt, now)],
    ["worker", worker === null ? null : workerName(worker)],
    ["progress", progressWords(task) || null],
    ["failures", failures === 0 ? null : String(failures)],
    ["crashes", crashes === 0 ? null : String(crashes)],
    ["error", error],
    ["input", `${shortened(task.payload, full)}${groupWords(groups.input)}`],
    ["result", state === "succeeded" ? `${shortened(task.result, full)}${groupWords(groups.result)}` : null],
  ];
  const asked = task.cancelRequested && state === "leased" ? ", asked to stop" : "";
  return [
    `task ${id}  ${state}${asked}`,
    ...rows.flatMap(([label, text]) => (text === null ? [] : [`  ${label.padEnd(11)}${indented(text, 13)}`])),
    ...(seen.attempts.length === 0 ? [] : ["  attempts"]),
    ...seen.attempts.flatMap((attempt) => attemptLines(attempt, full)),
  ];
}

function countWords(join: GroupRecord | undefined): string {
  if (join === undefined) return "its group is gone";
  const { children: members, succeeded, failed, state } = join;
  const counts = `${succeeded}${members === null ? "" : ` of ${members}`} succeeded`;
  return `${counts}${failed === 0 ? "" : `, ${failed} failed`}${state === "failed" ? ", which is too many" : ""}`;
}

function attemptLines(attempt: AttemptRecord, full: boolean): string[] {
  const { fence, startedAt, endedAt, result, worker, error, log } = attempt;
  const lines = [
    `    #${fence}  ${utc(startedAt)}  ${span(endedAt - startedAt)}  ${result}  ${workerName(worker)}`,
  ];
  if (error !== null) lines.push(`        ${indented(error, 8)}`);
  if (log !== null) {
    const all = log.trimEnd().split("\n");
    const left = full ? 0 : Math.max(0, all.length - LOG_LINES);
    if (left > 0) lines.push(`        | … ${plural(left, "line")} before; --full shows them`);
    lines.push(...all.slice(left).map((line) => `        | ${plain(line)}`));
  }
  return lines;
}

function linkLine({ id, state, name, error }: TaskRecord): string {
  return `${id}  ${state}  ${onOneLine(name)}${error === null ? "" : `: ${onOneLine(error)}`}`;
}

function shortened(value: Json, full: boolean): string {
  const text = JSON.stringify(value);
  if (full || text.length <= JSON_CHARACTERS) return text;
  return `${text.slice(0, JSON_CHARACTERS)}… (${grouped(text.length)} characters; --full shows them)`;
}

/** What a value has null for: the results of a group are read where they are. */
function groupWords(groups: readonly string[]): string {
  return groups.length === 0 ? "" : ` with the results of ${groups.join(", ")}`;
}

function indented(text: string, by: number): string {
  return plain(text)
    .trimEnd()
    .replaceAll("\n", `\n${" ".repeat(by)}`);
}
