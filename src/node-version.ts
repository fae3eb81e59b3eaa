/** Imported first by every module of the package, so that an older Node says what is wrong before anything else does. */

const OLDEST = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST) {
  throw new Error(
    `pawl needs Node ${OLDEST} or newer, and this is Node ${process.versions.node}: install a newer Node and run the program again.`,
  );
}
