import type { BlobPage } from "./operations.ts";
import type { BlobMisbehaviour } from "./server.ts";

/** Lets the `nth` page, from 0 on, be another one. */
function paged(change: (page: BlobPage, nth: number) => BlobPage): BlobMisbehaviour {
  let nth = 0;
  return { list: { page: (page) => change(page, nth++) } };
}

function rewritten(change: (xml: string) => string): BlobMisbehaviour {
  return {
    answer: ({ query }, answer) =>
      query.get("comp") === "list" && query.get("maxresults") !== "1"
        ? { ...answer, body: Buffer.from(change(answer.body.toString())) }
        : answer,
  };
}

/** Ways to list that lose blobs where they are believed, and can be noticed. Each is made again for each run, since some count. */
export const blobMisbehaviours: Readonly<Record<string, () => BlobMisbehaviour>> = {
  "lists backwards": () => ({ list: { order: (names) => names.toReversed() } }),
  "lists without regard to case": () => ({
    list: { order: (names) => names.toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)) },
  }),
  "lists folders before what sorts before a slash": () => ({
    list: {
      order: (names) =>
        names.toSorted((a, b) => (a.replaceAll("/", "\0") < b.replaceAll("/", "\0") ? -1 : 1)),
    },
  }),
  "gives each name twice": () =>
    paged((page) => ({ ...page, names: page.names.flatMap((name) => [name, name]) })),
  "gives the first page again and again": () => {
    let first: BlobPage | null = null;
    return paged((page) => {
      first ??= page;
      return first;
    });
  },
  "begins each page with the last name of the one before": () => {
    let last: string | undefined;
    return paged((page) => {
      const names = last === undefined ? page.names : [last, ...page.names];
      last = page.names.at(-1) ?? last;
      return { ...page, names };
    });
  },
  "leads with its markers in a circle of pages without blobs": () =>
    paged((_, nth) => ({ names: [], marker: `after!${nth % 3}` })),
  "begins with a page without blobs, though more come": () =>
    paged((page, nth) => (nth === 0 ? { names: [], marker: "after!0" } : page)),
  "lists blobs of another folder": () =>
    paged((page) => ({ ...page, names: page.names.map((name) => name.replace("in/", "at/")) })),
  "does not say whether there is more": () => paged((page) => ({ ...page, marker: null })),
  "groups by folders unasked": () => ({
    list: { order: (names) => names.filter((name) => !name.startsWith("in/a")) },
    ...rewritten((xml) => xml.replace("</Blobs>", "<BlobPrefix><Name>in/a/</Name></BlobPrefix>$&")),
  }),
  "gives each page as that of a longer prefix": () => ({
    list: { order: (names) => names.filter((name) => name.startsWith("in/a")) },
    ...rewritten((xml) => xml.replace("<Blobs>", "<Prefix>in/a</Prefix>$&")),
  }),
  "gives no sizes": () => rewritten((xml) => xml.replace(/<Content-Length>\d+<\/Content-Length>/g, "")),
  "cuts its pages short": () => rewritten((xml) => xml.slice(0, xml.lastIndexOf("<Blob>"))),
  "answers 200 with an error": () => rewritten(() => "<Error><Code>InternalError</Code></Error>"),
  "answers 200 with a page to log in": () => rewritten(() => "<html><body>Log in</body></html>"),
};
