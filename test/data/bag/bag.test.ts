import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, suite, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Bag, type BagResult, bag } from "../../../src/data/bag/index.ts";
import { fc, randomFrom, runs } from "../../random.ts";
import { isSmall, stuck } from "./fixtures/functions.ts";

const folder = mkdtempSync(join(tmpdir(), "pawl-test-bag-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
/** A file with this content, by a path as messages show it. */
function file(content: string | Buffer, ending = "jsonl"): string {
  const path = relative(process.cwd(), join(folder, `file-${++files}.${ending}`));
  writeFileSync(path, content);
  return path;
}

const one = { workers: 1 };

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await work.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => error as { code: string; message: string },
  );
  return { code: error.code, message: error.message.replaceAll(relative(process.cwd(), folder), "DIR") };
}

/** The value of a result whose counts add up. */
async function value<T>(work: Promise<BagResult<T>>): Promise<T> {
  const { value, read, kept, dropped, malformed } = await work;
  assert.equal(read, kept + dropped + malformed);
  return value;
}

suite("the steps of a bag", () => {
  const numbers = bag.of([3, 1, 4, 1, 5, 9, 2, 6]);

  test("do what the methods of lists do, one item after the other", async () => {
    assert.deepEqual(await value(numbers.map((x) => x * 2).collect(one)), [6, 2, 8, 2, 10, 18, 4, 12]);
    assert.deepEqual(await value(numbers.filter((x, least) => x >= least, 4).collect(one)), [4, 5, 9, 6]);
    assert.deepEqual(await value(numbers.remove(isSmall).collect(one)), [3, 4, 5, 9, 6]);
    assert.deepEqual(await value(numbers.take(3, one)), [3, 1, 4]);
    const pairs = bag.of<[number, string]>([
      [1, "a"],
      [2, "b"],
    ]);
    assert.deepEqual(await value(pairs.starmap((n, text) => text.repeat(n)).collect(one)), ["a", "bb"]);
    assert.deepEqual(await value(pairs.pluck(1).collect(one)), ["a", "b"]);
    assert.deepEqual(await value(pairs.flatten().collect(one)), [1, "a", 2, "b"]);
    assert.deepEqual(await value(pairs.flatMap(([n, text]) => Array<string>(n).fill(text)).collect(one)), [
      "a",
      "b",
      "b",
    ]);
    assert.deepEqual(
      await value(numbers.accumulate((sum, x) => sum + x, 0).collect(one)),
      [3, 4, 8, 9, 14, 23, 25, 31],
    );
  });

  test("give lists of items to mapPartitions, whose function may be async, and keep the order", async () => {
    const chunks = numbers.mapPartitions(async (items) => [await Promise.resolve(items.length), ...items], {
      items: 3,
    });
    assert.deepEqual(await value(chunks.collect(one)), [3, 3, 1, 4, 3, 1, 5, 9, 2, 2, 6]);
  });

  test("bring items together by their keys, whatever these are", async () => {
    const items = bag.of([
      { k: "a", v: 1 },
      { k: "constructor", v: 2 },
      { k: "__proto__", v: 3 },
      { k: "a", v: 4 },
    ]);
    const groups = await value(items.groupBy("k").collect(one));
    assert.deepEqual(
      new Map(groups.map(([key, group]) => [key, group.map(({ v }) => v)])),
      new Map([
        ["a", [1, 4]],
        ["constructor", [2]],
        ["__proto__", [3]],
      ]),
    );
    const sums = await value(
      items
        .foldBy(
          "k",
          (sum: number, { v }) => sum + v,
          0,
          (a, b) => a + b,
        )
        .collect(one),
    );
    assert.deepEqual(
      new Map(sums),
      new Map([
        ["a", 5],
        ["constructor", 2],
        ["__proto__", 3],
      ]),
    );
    const mixed = bag.of<unknown>([
      1,
      "1",
      1n,
      null,
      undefined,
      [1],
      ["1"],
      { a: 1, b: 2 },
      { b: 2, a: 1 },
      1,
      Number.NaN,
      Number.NaN,
      0,
      -0,
    ]);
    const counts = await value(mixed.frequencies().collect(one));
    assert.deepEqual(counts.map(([, count]) => count).sort(), [1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
    assert.equal(await value(mixed.distinct().count(one)), 10);
    assert.deepEqual(
      await value(
        items
          .distinct(({ k }) => k.length)
          .pluck("v")
          .collect(one),
      ),
      await value(
        items
          .distinct(({ k }) => k.length)
          .pluck("v")
          .collect(one),
      ),
    );
  });

  test("join and zip two bags", async () => {
    const users = bag.of([
      { id: 1, name: "ada" },
      { id: 2, name: "bob" },
    ]);
    const sales = bag.of([
      { user: 2, amount: 5 },
      { user: 1, amount: 7 },
      { user: 2, amount: 1 },
      { user: 9, amount: 3 },
    ]);
    const joined = await value(
      sales
        .join(users, "user", "id")
        .map(([sale, user]) => `${user.name} ${sale.amount}`)
        .collect(one),
    );
    assert.deepEqual(joined.sort(), ["ada 7", "bob 1", "bob 5"]);
    assert.deepEqual(
      await value(
        bag
          .of(["a", "b"])
          .zip(bag.of([1, 2]))
          .collect(one),
      ),
      [
        ["a", 1],
        ["b", 2],
      ],
    );
    const { code, message } = await failure(
      bag
        .of(["a", "b"])
        .zip(bag.of([1]))
        .count(one),
    );
    assert.deepEqual(
      [code, message],
      ["bag.zip", "The two bags of a zip have 2 and 1 items: only bags with as many items can be paired."],
    );
  });
});

test("results are those of a plain loop, for items and partitions of any number", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 300 }), async (list) => {
      const numbers = bag.of(list);
      assert.equal(await value(numbers.count(one)), list.length);
      assert.equal(await value(numbers.sum(one)), list.length === 0 ? null : list.reduce((a, b) => a + b, 0));
      assert.deepEqual(
        await value(numbers.topk(5, undefined, one)),
        list.toSorted((a, b) => b - a).slice(0, 5),
      );
      assert.equal(await value(numbers.min(undefined, one)), list.length === 0 ? null : Math.min(...list));
      assert.equal(
        await value(numbers.any((x) => x > 7, one)),
        list.some((x) => x > 7),
      );
      assert.equal(
        await value(numbers.all((x) => x < 8, one)),
        list.every((x) => x < 8),
      );
      assert.equal(
        await value(
          numbers.fold(
            (text: string, x) => `${text},${x}`,
            "",
            (a, b) => a + b,
            one,
          ),
        ),
        list.map((x) => `,${x}`).join(""),
      );
      assert.deepEqual(
        new Map(await value(numbers.frequencies().collect(one))),
        new Map(
          Map.groupBy(list, (x) => x)
            .entries()
            .map(([x, same]) => [x, same.length]),
        ),
      );
    }),
    { numRuns: runs(12) },
  );
});

test("a sum keeps the digits that floating point loses, and whole numbers of any size", async () => {
  assert.equal(await value(bag.of([1e100, 1, -1e100]).sum(one)), 1);
  assert.equal(await value(bag.of([0.1, 0.2, 0.3]).mean(one)), 0.6 / 3);
  assert.equal(await value(bag.of([2n ** 70n, 1n]).sum(one)), 2n ** 70n + 1n);
  const { code } = await failure(bag.of<number>(["1" as never]).sum(one));
  assert.equal(code, "bag.not-number");
});

suite("lines of files", () => {
  const strange = Buffer.concat([
    Buffer.from('\ufeff{"a":1}\r\n\n  \n{"a":2,"__proto__":{"x":1}}\n{bad\n'),
    Buffer.from([0xff, 0x0a]),
    Buffer.from('{"a":"\0"}\n\ufeff{"a":3}\n{"a":4}'),
  ]);

  test("are counted, and the malformed ones are dropped", async () => {
    const { value: items, ...counts } = await bag
      .jsonl<{ a: number }>(file(strange), { malformed: "drop" })
      .filter(({ a }) => a !== 3)
      .collect(one);
    assert.deepEqual(
      items.map(({ a }) => a),
      [1, 2, 4],
    );
    assert.ok(Object.hasOwn(items[1] as object, "__proto__"));
    assert.deepEqual(counts, { read: 7, kept: 3, dropped: 1, malformed: 3, complete: true });
  });

  test("fail the run by the first malformed one, which is named", async () => {
    const { code, message } = await failure(bag.jsonl(file(strange)).count(one));
    assert.equal(code, "bag.malformed");
    assert.match(
      message,
      /^DIR\/file-\d+\.jsonl:5: The line is not JSON \(Expected .*\): fix it, or set `malformed` to "drop" or to \{ quarantine: FILE \}\.$/,
    );
  });

  test("are kept in quarantine with file and line, and replayed when they are fixed", async () => {
    const [path, quarantine] = [file(strange), join(folder, "bad.jsonl")];
    const first = await bag.jsonl(path, { malformed: { quarantine } }).count(one);
    assert.deepEqual([first.value, first.malformed], [4, 3]);
    const records = () =>
      readFileSync(quarantine, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    assert.deepEqual(
      records().map(({ file, line, text, base64 }) => ({ file, line, text, base64 })),
      [
        { file: path, line: 5, text: "{bad", base64: undefined },
        { file: path, line: 6, text: undefined, base64: "/w==" },
        { file: path, line: 7, text: '{"a":"\0"}', base64: undefined },
      ],
    );
    writeFileSync(quarantine, readFileSync(quarantine, "utf8").replace('"{bad"', JSON.stringify('{"a":5}')));
    const replayed = await bag
      .replay<{ a: number }>(quarantine, { malformed: { quarantine }, includePath: true })
      .collect(one);
    assert.deepEqual([replayed.value, replayed.malformed], [[[{ a: 5 }, path]], 2]);
    assert.deepEqual(
      records().map(({ line, text, base64 }) => ({ line, text, base64 })),
      [
        { line: 6, text: undefined, base64: "/w==" },
        { line: 7, text: '{"a":"\0"}', base64: undefined },
      ],
    );
  });

  test("are texts with lines(), each with the path of its file where asked", async () => {
    const path = file("a\r\n\nb", "txt");
    assert.deepEqual(await value(bag.lines(path).collect(one)), ["a", "", "b"]);
    assert.deepEqual(await value(bag.lines(path, { includePath: true }).collect(one)), [
      ["a", path],
      ["", path],
      ["b", path],
    ]);
    assert.equal(await value(bag.lines(file("")).count(one)), 0);
  });

  test("come out of packed files with several members, and a damaged one fails", async () => {
    for (const [ending, packed] of [
      ["jsonl.gz", gzipSync],
      ["jsonl.zst", zstdCompressSync],
    ] as const) {
      const whole = Buffer.concat([packed(Buffer.from('{"a":1}\n{"a"')), packed(Buffer.from(":2}\n"))]);
      assert.deepEqual(await value(bag.jsonl(file(whole, ending)).collect(one)), [{ a: 1 }, { a: 2 }]);
      const { code } = await failure(bag.jsonl(file(whole.subarray(0, -5), ending)).count(one));
      assert.equal(code, "bag.corrupt-archive");
    }
  });

  test("fail when the file changes meanwhile", async () => {
    const path = file('{"a":1}\n'.repeat(600_000));
    // Of ranges of 1 MB the last ones are not read yet when the first one is.
    const onProgress = () => appendFileSync(path, "{}\n");
    const { code, message } = await failure(bag.jsonl(path).count({ ...one, memory: "130MB", onProgress }));
    assert.equal(code, "bag.changed");
    assert.match(message, /^DIR\/file-\d+\.jsonl changed while it was read/);
  });

  test("name the file, a near one where it is missing, and the line of an error", async () => {
    const path = file('{"a":1}\n{"b":2}\n');
    assert.match(
      (await failure(bag.jsonl(path.replace("file-", "fiel-")).count(one))).message,
      /does not exist; is it DIR\/file-\d+\.jsonl\?$/,
    );
    assert.equal((await failure(bag.jsonl(join(folder, "none-*.jsonl")).count(one))).code, "bag.no-match");
    const lacking = await failure(bag.jsonl<{ a: number }>(path).pluck("a").count(one));
    assert.match(lacking.message, /:2: The item has no property "a" \(.*\), which pluck\("a"\) takes/);
    assert.deepEqual(await value(bag.jsonl<{ a: number }>(path).pluck("a", null).collect(one)), [1, null]);
    const thrown = await failure(
      bag
        .jsonl<{ a: number }>(path)
        .map(({ a }) => a.toFixed())
        .count(one),
    );
    assert.match(thrown.message, /:2: The function of map threw 'Cannot read properties of undefined/);
  });
});

suite("memory", () => {
  test("distinct, groupBy, foldBy and join spill where there are more keys than room, and split what is too large", async () => {
    const random = randomFrom(5);
    const count = 60_000;
    const lines = Array.from({ length: count }, (_, at) =>
      JSON.stringify({ at, key: `${Math.floor(random() * 20_000)}-${"x".repeat(20)}`, pad: "y".repeat(60) }),
    );
    const path = file(`${lines.join("\n")}\n`);
    const rows = lines.map((line) => JSON.parse(line) as { at: number; key: string });
    const memory = { memory: "130MB", workers: 2 } as const;
    const logs = bag.jsonl<{ at: number; key: string }>(path);
    const byKey = Map.groupBy(rows, ({ key }) => key);
    assert.equal(await value(logs.pluck("key").distinct().count(memory)), byKey.size);
    const groups = new Map(
      await value(
        logs
          .groupBy("key")
          .map(([key, group]): [string, number[]] => [key, group.map(({ at }) => at)])
          .collect(memory),
      ),
    );
    assert.deepEqual(
      groups,
      new Map(byKey.entries().map(([key, group]) => [key, group.map(({ at }) => at)])),
    );
    assert.equal(
      await value(logs.join(logs, "key", "key").count(memory)),
      byKey.values().reduce((sum, { length }) => sum + length ** 2, 0),
    );
  });

  test("a key whose items do not fit is named, and a line that is too long is malformed", async () => {
    const rows = bag.of(
      (function* () {
        for (let at = 0; at < 30; at++) yield { key: "hot", pad: "z".repeat(200_000) };
      })(),
    );
    const { code, message } = await failure(rows.groupBy("key").count({ memory: "130MB" }));
    assert.equal(code, "bag.large-key");
    assert.match(message, /The items of one key of groupBy \("hot"\) take \d+ bytes/);
    const path = file(`"a"\n${JSON.stringify("b".repeat(2_500_000))}\n"c"\n`);
    const { value: items, malformed } = await bag
      .jsonl(path, { malformed: "drop" })
      .collect({ memory: "130MB" });
    assert.deepEqual([items, malformed], [["a", "c"], 1]);
  });

  test("collect refuses what does not fit, and items() goes through it", async () => {
    const rows = () =>
      bag.of(
        (function* () {
          for (let at = 0; at < 60; at++) yield "z".repeat(200_000);
        })(),
      );
    assert.equal((await failure(rows().collect({ memory: "130MB" }))).code, "bag.too-large");
    let items = 0;
    for await (const item of rows().items({ memory: "130MB" })) items += item.length;
    assert.equal(items, 60 * 200_000);
  });
});

suite("samples", () => {
  const numbers = bag.of(Array.from({ length: 4_000 }, (_, at) => at));

  test("are the same for the same seed, and uniform", async () => {
    const some = await value(numbers.sample(0.25, { seed: 7 }).collect(one));
    assert.deepEqual(some, await value(numbers.sample(0.25, { seed: 7 }).collect({ workers: 2 })));
    assert.notDeepEqual(some, await value(numbers.sample(0.25, { seed: 8 }).collect(one)));
    // Three standard deviations of 4,000 draws at a quarter.
    assert.ok(Math.abs(some.length - 1_000) < 3 * Math.sqrt(4_000 * 0.25 * 0.75));
    const drawn = await value(numbers.takeSample(500, { ...one, seed: 7 }));
    assert.equal(new Set(drawn).size, 500);
    const mean = drawn.reduce((sum, x) => sum + x, 0) / 500;
    assert.ok(Math.abs(mean - 2_000) < 3 * (4_000 / Math.sqrt(12 * 500)));
  });
});

suite("writers", () => {
  test("publish a file or a folder when all is written, and leave what is there until then", async () => {
    const target = join(folder, "out", "rows.jsonl");
    const { written, files } = await bag.of([{ a: 1 }, { a: 2n ** 60n }]).writeJsonl(target, one);
    assert.deepEqual(
      [written, files, readFileSync(target, "utf8")],
      [2, [target], `{"a":1}\n{"a":${2n ** 60n}}\n`],
    );
    const failed = await failure(
      bag
        .of([1, 2])
        .map((x) => {
          if (x === 2) throw new Error("no");
          return x;
        })
        .writeJsonl(target, one),
    );
    assert.equal(failed.message, "Item 2: The function of map threw 'no'.");
    assert.equal(readFileSync(target, "utf8"), `{"a":1}\n{"a":${2n ** 60n}}\n`);
    assert.deepEqual(readdirSync(join(folder, "out")), ["rows.jsonl"]);
    const many = await bag.of(["a", "b"]).writeLines(join(folder, "lines/"), one);
    assert.deepEqual(
      many.files.map((path) => readFileSync(path, "utf8")),
      ["a\nb\n"],
    );
    assert.equal((await failure(bag.of(["a"]).writeLines(join(folder, "lines/"), one))).code, "bag.target");
    for (const ending of ["gz", "zst"]) {
      await bag.of(["é", "b"]).writeLines(join(folder, `packed.txt.${ending}`), one);
      assert.deepEqual(await value(bag.lines(join(folder, `packed.txt.${ending}`)).collect(one)), ["é", "b"]);
    }
  });

  test("refuse what would be another thing when it is read again", async () => {
    assert.equal(
      (await failure(bag.of(["a\nb"]).writeLines(join(folder, "x.txt"), one))).code,
      "bag.line-break",
    );
    assert.equal(
      (await failure(bag.of([undefined]).writeJsonl(join(folder, "x.txt"), one))).code,
      "bag.not-json",
    );
    assert.ok(!existsSync(join(folder, "x.txt")));
    assert.equal(
      (
        await failure(
          bag
            .of([1])
            .map(
              () =>
                new (class {
                  #x = 1;
                  get x() {
                    return this.#x;
                  }
                })(),
            )
            .collect(one),
        )
      ).code,
      "bag.unsendable",
    );
  });
});

suite("a run", () => {
  test("ends when its signal aborts, whatever its functions do", async () => {
    const stop = new AbortController();
    const counting = bag.of([1]).map(stuck).count({ signal: stop.signal, workers: 1 });
    setTimeout(() => stop.abort(new Error("enough")), 50);
    await assert.rejects(counting, /enough/);
  });

  test("tells how far it is, and refuses options that do not exist", async () => {
    const path = file('{"a":1}\n'.repeat(1_000));
    const told: number[] = [];
    await bag
      .jsonl(path)
      .count({ ...one, onProgress: ({ bytes, totalBytes }) => told.push(bytes, totalBytes ?? 0) });
    assert.deepEqual(told, [8_000, 8_000]);
    assert.equal(
      (await failure(bag.of([1]).count({ memroy: 1 } as never))).message,
      'There is no option "memroy" of a run of a bag: did you mean memory?',
    );
    assert.equal((await failure(bag.of([1]).count({ memory: "1MB" }))).code, "bag.memory");
  });

  test("refuses a function that uses what does not reach a worker, before anything runs", () => {
    const level = 3;
    assert.throws(
      () => bag.of([1]).filter((x) => x > level),
      /The function passed to the filter of a bag uses "level"/,
    );
    assert.throws(() => bag.of([1]).map(null as never), /filter|map/);
  });

  test("refuses functions that return promises, but for mapPartitions", async () => {
    assert.equal(
      (
        await failure(
          bag
            .of([1])
            .filter(async (x) => x > 3)
            .count(one),
        )
      ).code,
      "bag.promise",
    );
  });
});

test("types follow the steps", () => {
  const logs = bag.jsonl<{ level: string; tags: string[]; ms: number }>("none.jsonl");
  const typed: Bag<[string, number]> = logs
    .filter(({ ms }) => ms > 1)
    .pluck("tags")
    .flatten()
    .frequencies();
  const grouped: Bag<[string, { level: string; tags: string[]; ms: number }[]]> = logs.groupBy("level");
  // @ts-expect-error there is no such property
  logs.pluck("lvel");
  // @ts-expect-error texts have no sum
  const never = () => logs.pluck("level").sum();
  assert.equal(typeof never, "function");
  assert.ok(typed instanceof Object && grouped instanceof Object);
});
