import { lstat, readFile, stat } from "node:fs/promises";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import type { TransformContext, TransformResult } from "../../batch/index.ts";
import { errorText, withoutFullStop } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { visible } from "../../visible.ts";
import { unlessNothingIsLeft } from "../nothing-left.ts";
import { tell } from "../terminal/output.ts";

/** A module that takes longer to load is told about, since the command does nothing else meanwhile. */
const LOADING_MS = 10_000;

/** Imports a module of the user's; `what` says in messages what it is for. */
export async function importModule(path: string, what: string): Promise<unknown> {
  const found = await stat(path).catch(() => null);
  if (found === null) {
    const isLink = await lstat(path).then(
      (link) => link.isSymbolicLink(),
      () => false,
    );
    throw new PawlError(
      "usage.module",
      `${what} ${path} ${isLink ? "is a link to a file that does not exist: correct the link" : "does not exist: check the path"}.`,
    );
  }
  if (found.isDirectory())
    throw new PawlError("usage.module", `${what} ${path} is a folder: name a file in it.`);
  const loading = setTimeout(
    () =>
      tell(
        visible(`${what} ${path} is still loading after 10 seconds: an await at its top level has not ended`),
      ),
    LOADING_MS,
  ).unref();
  try {
    return await unlessNothingIsLeft(
      import(pathToFileURL(path).href),
      () =>
        new PawlError(
          "usage.module",
          `${what} ${path} never finishes loading: an await at its top level waits for a promise that nothing settles.`,
        ),
    );
  } catch (error) {
    if (error instanceof PawlError) throw error;
    const why = firstLine(errorText(error));
    const advice = adviceFor(error, path);
    throw new PawlError(
      "usage.module",
      `${what} ${path} could not be imported: ${why}${advice === undefined ? "" : `: ${advice}`}.`,
      { cause: error },
    );
  } finally {
    clearTimeout(loading);
  }
}

/** What to do about errors of Node that say what it saw, and not what it takes. */
function adviceFor(error: unknown, path: string): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  const ending = extname(path);
  if (
    error instanceof SyntaxError &&
    /^\.[jt]s$/.test(ending) &&
    /import statement outside a module|Unexpected token 'export'|import\.meta|await is only valid/.test(
      message,
    )
  ) {
    return (
      "the nearest package.json says that it is CommonJS (npm init writes so), so run `npm pkg set type=module`, " +
      `or rename it to end in .m${ending.slice(1)}`
    );
  }
  if (
    error instanceof SyntaxError &&
    message === "Invalid or unexpected token" &&
    /^\.[cm]?ts$/.test(ending)
  ) {
    return "Node runs TypeScript as it stands and knows no decorators, so call functions instead, or compile the module first";
  }
  if (/strip-only mode/.test(message)) {
    return "Node removes types and generates no code, so use what is erased (erasableSyntaxOnly), or compile the module first";
  }
  if (/^Unknown file extension/.test(message)) {
    return "compile it to JavaScript first, or name a .ts, .js, .mts or .mjs module";
  }
  if (/^require is not defined in ES module/.test(message)) {
    return "use import, or rename it to end in .cjs or .cts";
  }
  return undefined;
}

/** The first line of what foreign code says, without a full stop. */
export function firstLine(text: string): string {
  return withoutFullStop(text.split("\n", 1)[0] ?? "");
}

type RowTransform<Row> = (row: Row, context: TransformContext) => TransformResult<Record<string, unknown>>;

/** Imports the function of rows that `--transform` names, with the text of its module. */
export async function importTransform<Row>(
  path: string,
): Promise<{ readonly transform: RowTransform<Row>; readonly transformText: string }> {
  const { default: transform } = (await importModule(path, "The transform")) as { default?: unknown };
  if (typeof transform !== "function") {
    throw new PawlError(
      "usage.transform",
      `The transform ${path} must export a function by default: export default (row) => ({ ...row }).`,
    );
  }
  return { transform: transform as RowTransform<Row>, transformText: await readFile(path, "utf8") };
}
