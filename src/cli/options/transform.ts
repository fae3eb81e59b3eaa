import { readFile } from "node:fs/promises";
import type { StepContext, StepResult } from "../../batch/index.ts";
import { PawlError } from "../../errors.ts";
import { importModule } from "./module.ts";

type RowStep<Row> = (row: Row, context: StepContext) => StepResult<Record<string, unknown>>;

/** Imports the function that `--step` names, with the text of its module. */
export async function importStep<Row>(
  path: string,
): Promise<{ readonly step: RowStep<Row>; readonly stepText: string }> {
  const module = (await importModule(path, "The step")) as { default?: unknown; step?: unknown };
  const step = module.default ?? module.step;
  if (typeof step !== "function") {
    throw new PawlError(
      "load.step",
      `The step ${path} must export a function by default: export default (row) => ({ ...row }).`,
    );
  }
  return { step: step as RowStep<Row>, stepText: await readFile(path, "utf8") };
}
