import { asError } from "../../error-text.ts";

/**
 * How a worker tells of what goes wrong outside of its tasks: by the function that it was given, or as a process warning.
 * A function that fails itself, at once or later, must not end what it was told of.
 */
export function reporting(onError: ((error: unknown) => unknown) | undefined): (error: unknown) => void {
  const warn = (error: unknown) => process.emitWarning(asError(error));
  if (onError === undefined) return warn;
  return (error) => {
    try {
      const told = onError(error);
      if (told instanceof Promise) told.catch(warn);
    } catch (thrown) {
      warn(thrown);
    }
  };
}
