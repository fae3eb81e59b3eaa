import { shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";

/** The lengths along the axes, the first one being the outermost; a number is one axis. */
export type ShapeLike = number | readonly number[];

/** A shape of at least one axis, frozen. Throws PawlError("pool.shared-shape"). */
export function shapeFrom(given: ShapeLike): readonly number[] {
  const shape = typeof given === "number" ? [given] : Array.isArray(given) ? [...given] : [];
  const sound = shape.length > 0 && shape.every((length) => Number.isSafeInteger(length) && length >= 0);
  if (!sound || !Number.isSafeInteger(sizeOf(shape))) {
    throw new PawlError(
      "pool.shared-shape",
      `A SharedArray cannot have the shape ${describeShape(given)}: give a whole number from 0 for each axis, and at least one axis.`,
    );
  }
  return Object.freeze(shape);
}

/** How many elements. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** How many elements lie between neighbours along each axis, in row-major order. */
export function stridesOf(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return Object.freeze(strides);
}

export function describeShape(shape: unknown): string {
  return Array.isArray(shape) ? `[${shape.join(", ")}]` : shown(shape);
}
