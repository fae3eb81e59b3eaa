import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { quoted } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { EngineSession } from "../engine/contract.ts";
import { castRule } from "../expr/casts.ts";
import type { PlanNode, SqlPlanNode, StagedNode } from "../plan/node.ts";
import { nodesOf } from "../plan/walk.ts";
import { planIdentity } from "../read/identity.ts";
import { type Needs, needsOf, withLeaves } from "../read/needed.ts";
import { prepareScans } from "../read/prepare.ts";
import { type ColumnField, isInteger, typeText } from "../schema/column-type.ts";
import { withBreaks, withCommonParts } from "./breaks.ts";
import type { RunnableStage, StageContext, StagedFiles } from "./stage.ts";
import { stagedScan } from "./staged-values.ts";

/** What a preparation works with. */
export interface PreparationOptions {
  readonly session: EngineSession;
  /** The folder of the run. */
  readonly folder: string;
  /** Bytes that its files may take; null where only the disk limits them. */
  readonly limit: number | null;
  /** Bytes that a stage may hold. */
  readonly memory: number;
  readonly signal: AbortSignal;
  /** Told how far a stage is. */
  readonly report?: (stage: string, done: number) => void;
}

/**
 * Makes the plans of a run into ones that an engine can run: files become local ones, and what runs outside of the engine is run before, once,
 * and becomes a scan of what it wrote.
 */
export class Preparation {
  readonly #options: PreparationOptions;
  readonly #plans: readonly PlanNode[];
  readonly #finished: (() => Promise<void>)[] = [];
  readonly #released: (() => Promise<void>)[] = [];
  #prepared: Promise<ReadonlyMap<PlanNode, PlanNode>> | undefined;
  #stages = 0;
  #names: ReadonlyMap<string, string> = new Map();

  constructor(plans: readonly PlanNode[], options: PreparationOptions) {
    this.#plans = plans;
    this.#options = options;
  }

  /** One of the plans as an engine can run it. The first call prepares all of them, so that what they have in common runs once. */
  async plan(plan: PlanNode): Promise<PlanNode> {
    this.#prepared ??= this.#prepareAll();
    const prepared = (await this.#prepared).get(plan);
    if (prepared === undefined) throw new Error("The run was not opened for this plan");
    return prepared;
  }

  /** The files of the user by the paths that prepared plans have for them, where those are others. */
  get names(): ReadonlyMap<string, string> {
    return this.#names;
  }

  /** Tells the stages that ran that the whole result is there. */
  async finished(): Promise<void> {
    for (const finished of this.#finished.splice(0)) await finished();
  }

  /** Gives back what stages have lent to the run. */
  async released(): Promise<void> {
    await Promise.all(this.#released.splice(0).map(async (released) => await released()));
  }

  async #prepareAll(): Promise<ReadonlyMap<PlanNode, PlanNode>> {
    const { session, folder, limit, memory, signal } = this.#options;
    const originals = this.#plans;
    const together = await this.#withKept(bundle(originals));
    const inputs = (together.plan as SqlPlanNode).inputs.map(({ plan }) => plan);
    const common = bundle(inputs.length > 1 ? withCommonParts(inputs) : inputs);
    const scans = await prepareScans(common, { session, folder, limit, memory, signal });
    this.#names = scans.names;
    const staged = await this.#withStages(withBreaks(scans.plan), together.originals);
    await assertDeclared(staged, session);
    const plans = (staged as SqlPlanNode).inputs;
    return new Map(originals.map((plan, index) => [plan, (plans[index] as (typeof plans)[number]).plan]));
  }

  /** The plan with what its stages have kept from before, and how to tell what the inputs of the others are. */
  async #withKept(plan: PlanNode): Promise<{ plan: PlanNode; originals: Map<object, readonly PlanNode[]> }> {
    const { signal } = this.#options;
    const stages = nodesOf(plan).filter((node) => node.kind === "staged");
    const originals = new Map<object, readonly PlanNode[]>(
      stages.map(({ stage, inputs }) => [stage, inputs]),
    );
    let current = plan;
    // From the results down: what lies only below a stage that is kept is not looked at.
    for (const original of stages.toReversed()) {
      const { stage } = original;
      const node = nodesOf(current).find((each) => each.kind === "staged" && each.stage === stage);
      const files =
        node === undefined ? null : await (stage as RunnableStage).kept?.(original.inputs, signal);
      if (files === null || files === undefined) continue;
      this.#heed(files);
      const scan = stagedScan(original.fields, files.paths);
      current = withLeaves(current, (leaf) => (leaf === node ? scan : leaf));
    }
    return { plan: current, originals };
  }

  /** Runs the stages of a plan, those below before those above, and puts scans of their files in their place. */
  async #withStages(plan: PlanNode, originals: ReadonlyMap<object, readonly PlanNode[]>): Promise<PlanNode> {
    const needs = needsOf(plan);
    const done = new Map<StagedNode, PlanNode>();
    for (const node of nodesOf(plan)) {
      if (node.kind !== "staged") continue;
      const inputs = node.inputs.map((input) =>
        withLeaves(input, (leaf) => (leaf.kind === "staged" ? (done.get(leaf) ?? leaf) : leaf)),
      );
      done.set(node, await this.#run(node, inputs, needs.get(node), originals.get(node.stage)));
    }
    return withLeaves(plan, (leaf) => (leaf.kind === "staged" ? (done.get(leaf) ?? leaf) : leaf));
  }

  async #run(
    node: StagedNode,
    inputs: readonly PlanNode[],
    needs: Needs | undefined,
    original: readonly PlanNode[] | undefined,
  ): Promise<PlanNode> {
    const { session, folder: runFolder, memory, signal, report } = this.#options;
    signal.throwIfAborted();
    const folder = join(runFolder, `stage-${this.#stages++}`);
    await mkdir(folder, { mode: 0o700 });
    const wanted = neededFields(node.fields, needs);
    const context: StageContext = {
      session,
      folder,
      memory,
      signal,
      needed: {
        columns: wanted.map(({ name }) => name),
        where: null,
        ...(original === undefined
          ? {}
          : { original, identity: async () => await planIdentity(bundle(original), { signal }) }),
      },
      ...(report === undefined ? {} : { onProgress: (done: number) => report(node.name, done) }),
    };
    const files = await (node.stage as RunnableStage).run(inputs, context);
    signal.throwIfAborted();
    this.#heed(files);
    return stagedScan(wanted, files.paths);
  }

  #heed({ finished, released }: StagedFiles): void {
    if (finished !== undefined) this.#finished.push(finished);
    if (released !== undefined) this.#released.push(released);
  }
}

/** Makes sure that queries in SQL give what is declared of them, or what becomes that without another value. */
async function assertDeclared(plan: PlanNode, session: EngineSession): Promise<void> {
  for (const node of nodesOf(plan)) {
    if (node.kind !== "sql" || node.fields.length === 0) continue;
    const found = await session.describe({ ...node, fields: [] });
    if (found.length !== node.fields.length)
      throw new PawlError(
        "data.schema",
        `The query of sql() gives ${found.length} columns (${found.map(({ name }) => name).join(", ")}), and ${node.fields.length} are declared.`,
      );
    node.fields.forEach(({ name, type }, index) => {
      const given = (found[index] as ColumnField).type;
      const rule = castRule(given, type);
      // The engine would round what is not whole, also in texts.
      const rounds = isInteger(type.kind) && !isInteger(given.kind) && given.kind !== "bool";
      if (typeof rule === "object" || rounds)
        throw new PawlError(
          "data.types",
          `The query of sql() gives ${typeText(given.notNull())} where the column ${quoted(name)} is declared as ${typeText(type.notNull())}: cast it in the query, or declare what it gives.`,
        );
    });
  }
}

/** Several plans as one, which is never run: what holds for all of them is worked out once. */
function bundle(plans: readonly PlanNode[]): SqlPlanNode {
  return {
    kind: "sql",
    inputs: plans.map((plan, index) => ({ name: `${index}`, plan })),
    text: "",
    fields: [],
  };
}

/** The columns of a stage that are looked at; one of them at least. */
function neededFields(fields: readonly ColumnField[], needs: Needs | undefined): readonly ColumnField[] {
  const columns = needs?.columns ?? null;
  if (columns === null) return fields;
  const needed = fields.filter(({ name }) => columns.has(name));
  return needed.length > 0 ? needed : fields.slice(0, 1);
}
