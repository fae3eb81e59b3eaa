import { type Description, promisedFiles } from "./description.ts";

const welcome = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
  /^bin\/[\w-]+\.cjs$/,
  /^dist\/.+\.(js|d\.ts)(\.map)?$/,
  /^docs\/.+\.(md|svg|png)$/,
];
const unwelcome = /(^|\/)(test|tests|bench|recipes|scripts)\/|\.test\./;
/** What npm would run, or warn of, where the package is installed: `prepare` from a tarball and from git. */
const onInstall = ["preinstall", "install", "postinstall", "prepare"];
const expected = ["README.md", "LICENSE", "CHANGELOG.md"];

/** What should not be in the tarball, and what should be and is not. */
export function contentProblems(files: readonly string[], description: Description): string[] {
  const junk = files.filter((file) => unwelcome.test(file) || !welcome.some((shape) => shape.test(file)));
  const missing = [...expected, ...promisedFiles(description)].filter((file) => !files.includes(file));
  return [
    ...junk.map((file) => `the tarball holds ${file}, which no user needs`),
    ...missing.map((file) => `the tarball lacks ${file}`),
    ...onInstall
      .filter((name) => Object.hasOwn(description.scripts ?? {}, name))
      .map((name) => `package.json has the script ${name}, of which npm warns when the tarball is installed`),
  ];
}
