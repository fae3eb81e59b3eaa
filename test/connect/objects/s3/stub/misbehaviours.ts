import { createHash } from "node:crypto";
import type { Asked } from "../../stub-server.ts";
import { firstAfter, type ListPage } from "./listing.ts";
import type { S3Misbehaviour } from "./server.ts";

const isPage = ({ method, key, query }: Asked): boolean =>
  method === "GET" && key === "" && query.get("list-type") === "2" && query.get("max-keys") !== "1";

const md5 = (key: string): string => createHash("md5").update(key).digest("hex");
const byMd5 = (keys: readonly string[]): string[] => keys.toSorted((a, b) => (md5(a) < md5(b) ? -1 : 1));
const byText = (keys: readonly string[], fold: (key: string) => string): string[] =>
  keys.toSorted((a, b) => (fold(a) < fold(b) ? -1 : fold(a) > fold(b) ? 1 : 0));

/** Lets the `nth` page that is asked for with a token, or the first page, be another one. */
function paged(change: (page: ListPage, nth: number) => ListPage): S3Misbehaviour {
  let nth = 0;
  return {
    list: {
      page: (page, query) => (query.delimiter !== "" || query.most === 1 ? page : change(page, nth++)),
    },
  };
}

/** Leaves out what begins with `group` in every answer alike, and says something of it. */
function grouped(group: string, says: string): S3Misbehaviour {
  return {
    list: { order: (keys) => keys.filter((key) => !key.startsWith(group)) },
    answer: (asked, answer) =>
      asked.key === "" && asked.query.has("list-type") && !asked.query.has("delimiter")
        ? {
            ...answer,
            body: Buffer.from(answer.body.toString().replace("</ListBucketResult>", `${says}$&`)),
          }
        : answer,
  };
}

/**
 * Ways in which servers list that lose objects where they are believed. Each is made again for each run, since some count.
 * What a server leaves out of every answer alike, no client can know; these contradict themselves or S3.
 */
export const misbehaviours: Readonly<Record<string, () => S3Misbehaviour>> = {
  "lists in the order of hashes": () => ({
    list: { order: byMd5, startAfter: (keys, after) => keys.indexOf(after) + 1 },
  }),
  "lists in the order of hashes, and takes start-after for a key in the order of bytes": () => ({
    list: { order: byMd5, startAfter: (keys, after) => keys.findIndex((key) => key > after) },
  }),
  "lists without regard to case": () => ({
    list: { order: (keys) => byText(keys, (key) => key.toLowerCase()) },
  }),
  "lists backwards": () => ({
    list: { order: (keys) => keys.toReversed(), startAfter: (keys, after) => keys.indexOf(after) + 1 },
  }),
  "orders each page by itself otherwise": () => paged((page) => ({ ...page, keys: byMd5(page.keys) })),
  "does not know start-after": () => ({ list: { startAfter: () => 0 } }),
  "takes start-after for where a page begins": () => ({
    list: {
      startAfter: (keys, after) =>
        Math.max(
          0,
          keys.findIndex((key) => key >= after),
        ),
    },
  }),
  "skips all that begins with start-after": () => ({
    list: {
      startAfter: (keys, after) => {
        let at = firstAfter(keys, after);
        while (keys[at]?.startsWith(after)) at++;
        return at;
      },
    },
  }),
  "skips a thousand keys more than start-after says": () => ({
    list: { startAfter: (keys, after) => firstAfter(keys, after) + 1000 },
  }),
  "gives the first page again and again": () => {
    let first: ListPage | null = null;
    return paged((page) => {
      first ??= page;
      return { ...first, token: page.token ?? first.token, truncated: true };
    });
  },
  "gives each key twice": () =>
    paged((page) => ({
      ...page,
      keys: page.keys.flatMap((key) => [key, key]),
      count: page.keys.length * 2,
    })),
  "begins each page with the last key of the one before": () => {
    let last: string | undefined;
    return paged((page) => {
      const keys = last === undefined ? page.keys : [last, ...page.keys];
      last = page.keys.at(-1) ?? last;
      return { ...page, keys, count: keys.length };
    });
  },
  "says that there is nothing more after a page that is full": () =>
    paged((page) => ({ ...page, truncated: false, token: null })),
  "says that there is nothing more after its second page": () =>
    paged((page, nth) => (nth === 1 ? { ...page, truncated: false, token: null } : page)),
  "says that there is more, and not how": () => paged((page) => ({ ...page, token: null })),
  "counts more keys than it lists": () => paged((page) => ({ ...page, keys: page.keys.slice(0, -5) })),
  "counts fewer keys than it lists": () => paged((page) => ({ ...page, count: 1 })),
  "leads with its tokens in a circle": () => {
    const tokens: string[] = [];
    return paged((page) => {
      if (page.token !== null && tokens.length < 2) tokens.push(page.token);
      return { ...page, token: page.token === null ? null : (tokens[tokens.length - 1] as string) };
    });
  },
  "leads with a token past the next page": () => {
    const tokens: string[] = [];
    return paged((page) => {
      if (page.token !== null) tokens.push(page.token);
      return { ...page, token: page.token === null ? null : (tokens.toSorted().at(-1) as string) };
    });
  },
  "leaves out the first keys of each page that a token leads to": () => ({
    list: {
      page: (page, { token }) => {
        const keys = token === null ? page.keys : page.keys.slice(7);
        return { ...page, keys, count: keys.length + page.folders.length };
      },
    },
  }),
  "leads in a circle of pages without keys": () =>
    paged((page, nth) =>
      nth === 0 ? page : { ...page, keys: [], count: 0, truncated: true, token: btoa(`after ${nth % 3}`) },
    ),
  "begins with a page without keys, though more come": () =>
    paged((page, nth) =>
      nth === 0 ? { ...page, keys: [], count: 0, truncated: true, token: btoa("after 0") } : page,
    ),
  "lists keys of another folder": () =>
    paged((page) => ({ ...page, keys: page.keys.map((key) => key.replace("in/", "at/")) })),
  "answers 200 with an error": () => ({
    answer: (asked, answer) =>
      isPage(asked) && asked.query.has("continuation-token")
        ? { ...answer, body: Buffer.from("<Error><Code>InternalError</Code><Message>no</Message></Error>") }
        : answer,
  }),
  "answers 200 with an error behind half a page": () => ({
    answer: (asked, answer) => {
      if (!isPage(asked) || !asked.query.has("continuation-token")) return answer;
      const half = answer.body.subarray(0, answer.body.length >> 1);
      return {
        ...answer,
        body: Buffer.concat([half, Buffer.from("<Error><Code>InternalError</Code></Error>")]),
      };
    },
  }),
  "groups by folders unasked": () =>
    grouped("in/a/", "<CommonPrefixes><Prefix>in/a/</Prefix></CommonPrefixes>"),
  "groups by folders unasked, and tells only how": () => grouped("in/a/", "<Delimiter>/</Delimiter>"),
  "gives each page as that of a longer prefix": () => ({
    list: { order: (keys) => keys.filter((key) => key.startsWith("in/a")) },
    answer: (asked, answer) => ({
      ...answer,
      body:
        asked.key === "" && !asked.query.has("delimiter")
          ? Buffer.from(
              answer.body
                .toString()
                .replace(/<Prefix>[^<]*<\/Prefix>|<IsTruncated>/, "<Prefix>in/a</Prefix>$&"),
            )
          : answer.body,
    }),
  }),
  "cuts its pages short and gives their length as it is then": () => ({
    answer: (asked, answer) => {
      if (!isPage(asked)) return answer;
      const end = answer.body.lastIndexOf("<Contents>");
      return end < 0 ? answer : { ...answer, body: answer.body.subarray(0, end) };
    },
  }),
  "leaves out whether there is more": () => ({
    answer: (asked, answer) => ({
      ...answer,
      body: isPage(asked)
        ? Buffer.from(answer.body.toString().replace(/<IsTruncated>\w+<\/IsTruncated>/, ""))
        : answer.body,
    }),
  }),
  "gives a length that is shorter than its page": () => ({
    send: (asked, answer, response) => {
      if (!isPage(asked)) return false;
      response.socket?.end(
        Buffer.concat([
          Buffer.from(
            `HTTP/1.1 200 OK\r\ncontent-length: ${answer.body.length >> 1}\r\nconnection: close\r\n\r\n`,
          ),
          answer.body,
        ]),
      );
      return true;
    },
  }),
  "gives a length that is longer than its page": () => ({
    send: (asked, answer, response) => {
      if (!isPage(asked)) return false;
      response.socket?.end(
        Buffer.concat([
          Buffer.from(
            `HTTP/1.1 200 OK\r\ncontent-length: ${answer.body.length * 2}\r\nconnection: close\r\n\r\n`,
          ),
          answer.body,
        ]),
      );
      return true;
    },
  }),
};
