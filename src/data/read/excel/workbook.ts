import { open } from "node:fs/promises";
import { basename } from "node:path";
import { crc32 } from "node:zlib";
import type { Entry, ZipFile } from "yauzl";
import { errorReason } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";
import { nearNames } from "../../../near-names.ts";
import { sizeText } from "../../../sizes.ts";
import { formatOf, type NumberFormat, type SheetRow } from "./cell.ts";
import { SharedStrings, sharedStringHandlers } from "./shared-strings.ts";
import { sheetHandlers } from "./sheet-rows.ts";
import { attributeOf, parseXml, type XmlHandlers } from "./xml-part.ts";

/** What says what else is in a workbook is small. */
const LONGEST_PART = 32 * 1024 * 1024;
const MOST_PARTS = 20_000;
/** No sheet is packed to less than a five-hundredth; below this size it does not matter. */
const MOST_PACKED = 500;
const PACKED_MATTERS = 64 * 1024 * 1024;
/** The first bytes of a zip file, and of what Office wrote before 2007 and still writes where a password protects a workbook. */
const ZIP = "504b0304";
const COMPOUND = "d0cf11e0";

interface Sheet {
  readonly name: string;
  readonly part: string;
}

/** A workbook of Excel (.xlsx, .xlsm), read part by part: no sheet is ever held as a whole. */
export class Workbook implements AsyncDisposable {
  /** For people. */
  readonly name: string;
  readonly #zip: ZipFile;
  readonly #parts: ReadonlyMap<string, Entry>;
  readonly #memory: number;
  #sheets: readonly Sheet[] = [];
  #strings: SharedStrings;
  #formats: readonly NumberFormat[] = [];
  /** Whether days are counted from 1904 on. */
  isFrom1904 = false;

  private constructor(name: string, zip: ZipFile, parts: ReadonlyMap<string, Entry>, memory: number) {
    this.name = name;
    this.#zip = zip;
    this.#parts = parts;
    this.#memory = memory;
    this.#strings = new SharedStrings(memory);
  }

  /**
   * Opens a workbook; its shared texts may take `memory` bytes. Errors: `data.corrupt`, `data.format`, `data.encrypted`,
   * `data.memory`, `data.no-saxes`.
   */
  static async open(path: string, name: string, memory: number): Promise<Workbook> {
    await assertZip(path, name);
    const { openPromise } = await import("yauzl");
    const zip = await openPromise(path, { lazyEntries: true, autoClose: false }).catch((error) => {
      throw damaged(name, error);
    });
    try {
      const workbook = new Workbook(name, zip, await partsOf(zip, name), memory);
      await workbook.#readContents();
      return workbook;
    } catch (error) {
      zip.close();
      throw error instanceof PawlError ? error : damaged(name, error);
    }
  }

  /** The names of the sheets with cells, in order. */
  get sheetNames(): readonly string[] {
    return this.#sheets.map(({ name }) => name);
  }

  /** The name of a sheet by its name, whatever its capitals, or its number from 1. Errors: `data.sheet`. */
  sheetName(wanted: string | number): string {
    const names = this.sheetNames;
    const byNumber = (number: number) => names[number - 1];
    const found =
      typeof wanted === "number"
        ? byNumber(wanted)
        : (names.find((name) => name === wanted) ??
          names.find((name) => name.toLowerCase() === wanted.toLowerCase()) ??
          // A command line has no numbers.
          (/^[1-9]\d{0,4}$/.test(wanted) ? byNumber(Number(wanted)) : undefined));
    if (found !== undefined) return found;
    const shown = typeof wanted === "number" ? `sheet ${wanted}` : `sheet ${JSON.stringify(wanted)}`;
    const near = typeof wanted === "string" ? nearNames(wanted, names, 1)[0] : undefined;
    throw new PawlError(
      "data.sheet",
      `${this.name} has no ${shown}: ${near === undefined ? `it has ${names.slice(0, 20).join(", ") || "none"}` : `did you mean ${near}`}${near === undefined ? "." : "?"}`,
    );
  }

  /** The rows of a sheet, some at a time. Errors: `data.corrupt`, `data.encrypted`. */
  async *rows(sheet: string, signal: AbortSignal): AsyncGenerator<readonly SheetRow[], void, undefined> {
    const found = this.#sheets.find(({ name }) => name === sheet);
    if (found === undefined) throw new TypeError(`there is no sheet ${sheet}`);
    const context = { strings: this.#strings, formats: this.#formats };
    for await (const rows of this.#parse<SheetRow>(found.part, Number.POSITIVE_INFINITY, (emit) =>
      sheetHandlers(context, emit),
    )) {
      signal.throwIfAborted();
      yield rows;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#zip.close();
  }

  async #readContents(): Promise<void> {
    const workbook = this.#parts.has("xl/workbook.xml") ? "xl/workbook.xml" : await this.#mainPart();
    const folder = workbook.replace(/[^/]*$/, "");
    const relations = await this.#relations(`${folder}_rels/${basename(workbook)}.rels`, folder);
    const sheets: Sheet[] = [];
    for await (const found of this.#parse<{ name: string; id: string } | "1904">(
      workbook,
      LONGEST_PART,
      (emit) => ({
        open(name, attributes) {
          const id = attributeOf(attributes, "id");
          if (name === "sheet" && id !== null) emit({ name: attributes.name ?? "", id });
          if (name === "workbookPr" && /^(1|true)$/.test(attributes.date1904 ?? "")) emit("1904");
        },
        text() {},
        close() {},
      }),
    )) {
      for (const each of found) {
        if (each === "1904") this.isFrom1904 = true;
        else {
          const relation = relations.get(each.id);
          // A sheet that is a chart has no cells.
          if (relation?.type.endsWith("/worksheet")) sheets.push({ name: each.name, part: relation.target });
        }
      }
    }
    this.#sheets = sheets;
    for (const { type, target } of relations.values()) {
      if (type.endsWith("/sharedStrings")) await this.#readStrings(target);
      else if (type.endsWith("/styles")) await this.#readStyles(target);
    }
  }

  /** The part that is the workbook, by what the package says of it. */
  async #mainPart(): Promise<string> {
    if (this.#parts.has("xl/workbook.bin"))
      throw new PawlError("data.format", `${this.name} is a binary workbook (.xlsb): save it as .xlsx.`);
    if (this.#parts.has("_rels/.rels"))
      for (const { type, target } of (await this.#relations("_rels/.rels", "")).values())
        if (type.endsWith("/officeDocument")) return target;
    throw new PawlError(
      "data.format",
      `${this.name} is a zip archive and not an Excel workbook: name the right file.`,
    );
  }

  async #relations(part: string, folder: string): Promise<Map<string, { type: string; target: string }>> {
    const found = new Map<string, { type: string; target: string }>();
    for await (const some of this.#parse<[string, string, string]>(part, LONGEST_PART, (emit) => ({
      open(name, { Id = "", Type = "", Target = "", TargetMode }) {
        if (name === "Relationship" && TargetMode !== "External") emit([Id, Type, Target]);
      },
      text() {},
      close() {},
    })))
      for (const [id, type, target] of some) found.set(id, { type, target: partName(folder, target) });
    return found;
  }

  async #readStrings(part: string): Promise<void> {
    const strings = this.#strings;
    try {
      for await (const some of this.#parse<string>(part, Number.POSITIVE_INFINITY, sharedStringHandlers))
        for (const each of some) strings.add(each);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new PawlError(
        "data.memory",
        `The texts of ${this.name} take more than the ${sizeText(this.#memory)} that they may: allow more with \`memory\`.`,
      );
    }
  }

  async #readStyles(part: string): Promise<void> {
    const codes = new Map<number, string>();
    const formats: NumberFormat[] = [];
    let isInCells = false;
    for await (const some of this.#parse<number>(part, LONGEST_PART, (emit) => ({
      open(name, attributes) {
        if (name === "numFmt") codes.set(Number(attributes.numFmtId), attributes.formatCode ?? "");
        else if (name === "cellXfs") isInCells = true;
        else if (name === "xf" && isInCells) emit(Number(attributes.numFmtId ?? 0));
      },
      text() {},
      close(name) {
        if (name === "cellXfs") isInCells = false;
      },
    })))
      for (const id of some) formats.push(formatOf(id, codes.get(id)));
    this.#formats = formats;
  }

  async *#parse<T>(
    part: string,
    most: number,
    handlersOf: (emit: (value: T) => void) => XmlHandlers,
  ): AsyncGenerator<readonly T[], void, undefined> {
    const entry = this.#parts.get(part);
    if (entry === undefined) throw damaged(this.name, new Error(`the part ${part} is missing`));
    try {
      yield* parseXml(this.#bytes(entry, most), handlersOf);
    } catch (error) {
      if (error instanceof PawlError || error instanceof RangeError || isAborted(error)) throw error;
      throw damaged(this.name, new Error(`${part}: ${errorReason(error)}`, { cause: error }));
    }
  }

  /** The bytes of a part, as many as the archive says and with the checksum that it says. */
  async *#bytes(entry: Entry, most: number): AsyncGenerator<Buffer, void, undefined> {
    const { uncompressedSize, compressedSize } = entry;
    if (entry.isEncrypted()) throw locked(this.name);
    if (uncompressedSize > most) throw new Error(`it would have ${uncompressedSize} bytes`);
    if (uncompressedSize > PACKED_MATTERS && uncompressedSize > compressedSize * MOST_PACKED)
      throw new Error(`${compressedSize} bytes of it would become ${uncompressedSize}, as of no sheet`);
    const stream = await this.#zip.openReadStreamPromise(entry);
    let sum = 0;
    try {
      for await (const piece of stream as AsyncIterable<Buffer>) {
        sum = crc32(piece, sum);
        yield piece;
      }
    } finally {
      stream.destroy();
    }
    if (sum !== entry.crc32) throw new Error("its checksum is another one");
  }
}

function isAborted(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

async function partsOf(zip: ZipFile, name: string): Promise<ReadonlyMap<string, Entry>> {
  if (zip.entryCount > MOST_PARTS) throw damaged(name, new Error(`it has ${zip.entryCount} parts`));
  const parts = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) {
    if (parts.has(entry.fileName)) throw damaged(name, new Error(`the part ${entry.fileName} comes twice`));
    parts.set(entry.fileName, entry);
  }
  return parts;
}

/** The name of a part that a relation names, from the folder of the part that it belongs to or from the root. */
function partName(folder: string, target: string): string {
  if (target.startsWith("/")) return target.slice(1);
  const parts: string[] = [];
  for (const each of `${folder}${target}`.split("/")) {
    if (each === "..") parts.pop();
    else if (each !== "." && each !== "") parts.push(each);
  }
  return parts.join("/");
}

async function assertZip(path: string, name: string): Promise<void> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
  const head = buffer.toString("hex", 0, Math.min(4, bytesRead));
  if (head === ZIP) return;
  if (head === COMPOUND)
    throw new PawlError(
      "data.format",
      `${name} is a workbook of Excel before 2007 (.xls) or one that a password protects: save it as .xlsx without a password.`,
    );
  throw damaged(name, new Error("it does not begin as an .xlsx does"));
}

function locked(name: string): PawlError {
  return new PawlError("data.encrypted", `${name} is encrypted: save it without a password.`);
}

function damaged(name: string, error: unknown): PawlError {
  return new PawlError(
    "data.corrupt",
    `${name} is cut off, damaged, or not an Excel workbook: ${errorReason(error)}. Fetch it again, or save it with Excel.`,
    { cause: error },
  );
}
