import { PawlError } from "../../../errors.ts";

/** What is told of the elements of a part of a workbook, by their names without a prefix. */
export interface XmlHandlers {
  open(name: string, attributes: Readonly<Record<string, string>>): void;
  /** Of text, all that stands between two tags. */
  text(text: string): void;
  close(name: string): void;
}

/** Between two tags stands at most the text of a cell: what is longer would be held in memory without an end. */
const LONGEST_TEXT = 4 * 1024 * 1024;

/**
 * Reads the XML of a part as it comes, and gives what the handlers have emitted, some at a time. Rejects with a plain Error that says what
 * is wrong with it.
 */
export async function* parseXml<T>(
  pieces: AsyncIterable<Buffer>,
  handlersOf: (emit: (value: T) => void) => XmlHandlers,
): AsyncGenerator<readonly T[], void, undefined> {
  const SaxesParser = await loadParser();
  let emitted: T[] = [];
  const handlers = handlersOf((value) => emitted.push(value));
  const parser = new SaxesParser({ xmlns: false, position: false });
  let quiet = 0;
  parser.on("opentag", ({ name, attributes }) => {
    quiet = 0;
    handlers.open(localName(name), attributes);
  });
  parser.on("closetag", ({ name }) => {
    quiet = 0;
    handlers.close(localName(name));
  });
  parser.on("text", (text) => handlers.text(text));
  parser.on("cdata", (text) => handlers.text(text));
  // Entities that it would declare could grow without an end; no workbook has one.
  parser.on("doctype", () => {
    throw new Error("it has a document type, which no workbook has");
  });
  let decoder: InstanceType<typeof TextDecoder> | null = null;
  const feed = (text: string) => {
    quiet += text.length;
    parser.write(text);
    if (quiet > LONGEST_TEXT) throw new Error(`a text in it has more than ${LONGEST_TEXT} characters`);
  };
  for await (const piece of pieces) {
    decoder ??= new TextDecoder(piece[0] === 0xff && piece[1] === 0xfe ? "utf-16le" : "utf-8", {
      fatal: true,
    });
    feed(decoder.decode(piece, { stream: true }));
    if (emitted.length === 0) continue;
    yield emitted;
    emitted = [];
  }
  feed(decoder?.decode() ?? "");
  // Throws where an element is not closed: the part was cut off.
  parser.close();
  if (emitted.length > 0) yield emitted;
}

function localName(name: string): string {
  const colon = name.indexOf(":");
  return colon < 0 ? name : name.slice(colon + 1);
}

/** Loads the optional peer `saxes`. Only workbooks need it. */
async function loadParser(): Promise<typeof import("saxes").SaxesParser> {
  try {
    return (await import("saxes")).SaxesParser;
  } catch (error) {
    throw new PawlError("data.no-saxes", "Excel files need the package saxes: run `npm install saxes`.", {
      cause: error,
    });
  }
}

/** An attribute by its name without a prefix, such as `id` of `r:id`. */
export function attributeOf(attributes: Readonly<Record<string, string>>, name: string): string | null {
  for (const [key, value] of Object.entries(attributes)) if (localName(key) === name) return value;
  return null;
}
