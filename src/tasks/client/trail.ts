import type { TaskRecord } from "../../store/contract.ts";
import type { Records } from "./watcher.ts";

/** Links of a flow that are looked up at once. */
const BLOCK = 16;

/**
 * Which tasks tell how the task or flow `id` stands: itself, and the links `id:1`, `id:2` … before it, as far as they
 * are known to go.
 */
export class Trail {
  readonly id: string;
  #links: number;

  /** `alone`: it is known to be no flow. */
  constructor(id: string, alone: boolean) {
    this.id = id;
    this.#links = alone ? 0 : BLOCK;
  }

  readonly ids = (): string[] => [
    this.id,
    ...Array.from({ length: this.#links }, (_, n) => `${this.id}:${n + 1}`),
  ];

  /**
   * The record that tells how it stands: the one that failed, the end once it has begun, otherwise the link that is
   * under way. Undefined when nothing of it is stored.
   */
  standing(records: Records): TaskRecord | undefined {
    const end = records.get(this.id);
    if (end !== undefined && end.flow !== this.id) {
      this.#links = 0;
      return end;
    }
    const links: TaskRecord[] = [];
    for (let n = 1; n <= this.#links; n++) {
      const link = records.get(`${this.id}:${n}`);
      if (link !== undefined) links.push(link);
    }
    if (this.#links > 0 && records.has(`${this.id}:${this.#links}`)) this.#links += BLOCK;
    const failed = links.find(({ state }) => state === "dead" || state === "cancelled");
    if (failed !== undefined) return failed;
    return end ?? links.at(-1);
  }

  /** It has ended, well or not. */
  isOver(record: TaskRecord): boolean {
    if (record.state === "dead" || record.state === "cancelled") return true;
    return record.state === "succeeded" && record.id === this.id;
  }
}
