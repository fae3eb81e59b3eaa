import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installConsumer } from "./package/consumer.ts";
import { contentProblems } from "./package/contents.ts";
import { modulesOf, readDescription } from "./package/description.ts";
import { importProblems, requireProblems } from "./package/imports.ts";
import { launchProblems } from "./package/launch.ts";
import { lintProblems } from "./package/lint.ts";
import { managerProblems, oldNodeProblems, tsxProblems } from "./package/managers.ts";
import { pack } from "./package/pack.ts";
import { typeProblems } from "./package/types.ts";

// With `--everywhere` also in pnpm, yarn and bun, with tsx, and on Nodes that are too old: each is fetched, which takes minutes.
const everywhere = process.argv.includes("--everywhere");
const checkout = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "pawl-package-"));
// So that the embedded server of the test keeps its files in there, under root too.
chmodSync(scratch, 0o755);
try {
  const description = readDescription(checkout);
  const modules = modulesOf(description);
  const tarball = pack(checkout, scratch);
  const kilobytes = (bytes: number) => `${Math.ceil(bytes / 1000)} kB`;
  console.log(
    `${tarball.files.length} files, ${kilobytes(tarball.bytes)}, unpacked ${kilobytes(tarball.unpackedBytes)}`,
  );
  const consumer = installConsumer(tarball.path, description, scratch);
  const tsc = join(checkout, "node_modules", "typescript", "bin", "tsc");
  const problems = [
    ...contentProblems(tarball.files, description),
    ...importProblems(consumer, modules),
    ...requireProblems(consumer, modules),
    ...typeProblems(consumer, modules, tsc),
    ...launchProblems(consumer),
    ...lintProblems(tarball.path, checkout),
    ...(everywhere
      ? [
          ...tsxProblems(consumer),
          ...oldNodeProblems(consumer, scratch),
          ...managerProblems(tarball.path, scratch),
        ]
      : []),
  ];
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
