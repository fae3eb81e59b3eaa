/** What compiles and what does not; `tsc` is the test, and running it shows that it is well-formed. */
import { test } from "node:test";
import { z } from "zod";
import {
  chain,
  chord,
  type Flow,
  type GroupResults,
  group,
  type TaskHandle,
  task,
} from "../../src/tasks/index.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

const parse = task({ name: "types-parse", input: z.object({ file: z.string() }) }, ({ file }) => file.length);
const square = task({ name: "types-square" }, (n: number) => n * n);
const show = task({ name: "types-show" }, (n: number) => `${n}`);
const length = task({ name: "types-length" }, (text: string) => text.length);
const when = task({ name: "types-when" }, () => ({ at: new Date(), more: undefined as string | undefined }));
const dated = task({ name: "types-dated" }, (input: { at: Date }) => input.at.getTime());
const read = task({ name: "types-read" }, (input: { at: string }) => input.at);
const nothing = task({ name: "types-nothing" }, async () => {});
const total = task(
  { name: "types-total" },
  async (numbers: GroupResults<number>) => (await numbers.all()).length,
);
const mapped = task(
  { name: "types-mapped", maps: { fromText: (text: string) => text.length } },
  (n: number) => n,
);
const paged = task(
  { name: "types-paged", maps: { page: (size: number, page: number) => size * page } },
  (n: number) => n,
);
const coerced = task(
  { name: "types-coerced", input: z.object({ day: z.string().transform((day) => new Date(day)) }) },
  ({ day }) => day.getFullYear(),
);

test("links that fit compile, and others do not", () => {
  same<typeof wholeChain, Flow<{ file: string }, string>>(true);
  const wholeChain = chain(parse, square, show);
  // @ts-expect-error a number is not a text
  chain(parse, length);
  // @ts-expect-error the second of three does not fit
  chain(parse, length, square);
  // @ts-expect-error what is stored of a date is text
  chain(when, dated);
  chain(when, read);
  chain(parse, show.with(3), length);
  // @ts-expect-error an input of its own must be of the right kind
  show.with("3");
  chain(show.with(1), mapped.via("fromText"));
  // @ts-expect-error the function takes text
  chain(parse, mapped.via("fromText"));
  chain(parse, paged.via("page", { with: 3 }));
  // @ts-expect-error the function takes a second argument
  chain(parse, paged.via("page"));
  // @ts-expect-error of another kind
  chain(parse, paged.via("page", { with: "3" }));
  // @ts-expect-error there is no such function
  const absent = () => mapped.via("fromNumber");
  void absent;

  same<typeof numbers, Flow<number, GroupResults<number | string>>>(true);
  const numbers = group([square, show]);
  same<typeof whole, Flow<number, number>>(true);
  const whole = chord([square, square], total);
  chain(parse, group([square, square]), total);
  // @ts-expect-error the callback takes numbers, and one member gives text
  chord([square, show], total);
  // @ts-expect-error one member takes text, and what comes before gives a number
  chain(parse, group([square, length]));
  // @ts-expect-error a task that takes a number is not given the members of a group
  chain(parse, group([square]), square);
  chord([parse.with({ file: "a" }), chain(parse.with({ file: "b" }), square)], total);
});

test("calls that fit compile, and others do not", () => {
  type Calls = readonly (() => unknown)[];
  const calls: Calls = [
    () => parse.enqueue({ file: "a" }, { delay: "10m", key: "k" }),
    // @ts-expect-error no file
    () => parse.enqueue({}),
    // @ts-expect-error an input is needed
    () => square.enqueue(),
    () => nothing.enqueue(),
    () => coerced.enqueue({ day: "2026-01-31" }),
    // @ts-expect-error what is stored is text
    () => coerced.enqueue({ day: new Date() }),
    () => chain(parse, square).enqueue({ file: "a" }),
    // @ts-expect-error the first link takes a file
    () => chain(parse, square).enqueue(3),
    () => chain(parse.with({ file: "a" }), square).enqueue(),
    // @ts-expect-error a duration has a unit
    () => parse.enqueue({ file: "a" }, { delay: "10 minutes" }),
    () => parse.enqueueMany([{ file: "a" }], { key: ({ file }) => file }),
    // @ts-expect-error numbers are no files
    () => parse.enqueueMany([1]),
  ];
  void calls;
  same<Awaited<ReturnType<typeof when.enqueue>>, TaskHandle<{ at: string; more: string | undefined }>>(true);
  same<Awaited<ReturnType<typeof nothing.enqueue>>, TaskHandle<null>>(true);
});
