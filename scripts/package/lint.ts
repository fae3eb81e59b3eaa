import { join } from "node:path";
import { run } from "./command.ts";

/** What publint and "are the types wrong" say of the tarball. */
export function lintProblems(tarball: string, checkout: string): string[] {
  const bin = (name: string) => join(checkout, "node_modules", ".bin", name);
  const publint = run(bin("publint"), [tarball, "--strict"], checkout);
  // There is no second build for CommonJS: it can require what is ESM.
  const attw = run(
    bin("attw"),
    [tarball, "--profile", "esm-only", "--format", "ascii", "--no-color"],
    checkout,
  );
  return [
    ...(publint.code === 0 ? [] : [`publint: ${publint.stdout}${publint.stderr}`]),
    ...(attw.code === 0 ? [] : [`attw: ${attw.stdout}${attw.stderr}`]),
  ];
}
