import type { Case } from "./case.ts";

const wrong = (flags: readonly string[], says: RegExp): Case => ({
  name: flags.join(" "),
  load: ["people.csv", "--table", "people", ...flags],
  code: 2,
  says,
});

const refused = (pawl: readonly string[], says: RegExp): Case => ({
  name: ["pawl", ...pawl].join(" "),
  pawl,
  code: 2,
  says,
});

/** Command lines that are wrong in themselves. */
export const commands: readonly Case[] = [
  wrong(
    ["--max-quarantined", "many"],
    /--max-quarantined takes a number of rows or a share, such as 1000 or 1%, not "many"/,
  ),
  wrong(["--max-quarantined", "150%"], /--max-quarantined takes .* not "150%"/),
  wrong(["--memory", "lots"], /--memory takes a size such as 256MB or 1GB, not "lots"/),
  wrong(["--memory", "5MB"], /5 MB is too small: at least 128 MB/),
  wrong(["--concurrency", "0"], /--concurrency takes a whole number of at least 1, not "0"/),
  wrong(["--map", "name"], /--map takes name=value, not "name"/),
  wrong(
    ["--map", "nmae=name"],
    /people\.csv has no column "nmae" \(--map nmae=name\): its columns are id, name/,
  ),
  wrong(["--set", "agee=1"], /public\.people has no column "agee" \(--set/),
  wrong(["--set", "age=one("], /The expression of --set age=one\( does not work/),
  wrong(["--on-conflict", "maybe"], /--on-conflict is update, ignore or fail, not "maybe"/),
  wrong(["--key", "nam"], /public\.people has no column "nam" \(--key\): did you mean name\?/),
  wrong(["--key", "name"], /no unique index on \(name\): run CREATE UNIQUE INDEX/),
  wrong(["--delimiter", ",,"], /--delimiter is ",,": give one ASCII character/),
  wrong(["--encoding", "klingon"], /--encoding "klingon" is unknown/),
  wrong(["--max-record", "128MB"], /--max-record 128MB may take 624 MB of memory: add --memory 624MB/),
  wrong(["--max-record", "0"], /--max-record takes a size such as 256MB or 1GB, not "0", which is zero/),
  wrong(["--transform", "clean.ts"], /The transform .*clean\.ts does not exist/),
  wrong(["--into", "mysql://localhost/x"], /--into takes a URL such as postgres:\/\//),
  wrong(["--into", "env:NOWHERE"], /--into env:NOWHERE names an environment variable that is not set/),
  wrong(["--frobnicate"], /unknown option '--frobnicate'/),
  {
    name: "--detach with standard input",
    load: ["-", "--table", "people", "--detach"],
    code: 2,
    says: /--detach cannot take standard input/,
  },
  refused(["lod"], /unknown command 'lod', did you mean load\?/),
  refused(["load", "people.csv"], /the option '--table <table>' is missing/),
  refused(["load", "people.csv", "--tabel", "people"], /unknown option '--tabel', did you mean --table\?/),
  refused(
    ["load", "people.csv", "--table", "t", "--APPEND"],
    /unknown option '--APPEND', did you mean --append\?/,
  ),
  refused(
    ["load", "people.csv", "--table", "t", "--append=yes"],
    /the option '--append' takes no value; see/,
  ),
  refused(["load", "people.csv", "--table", "t", "--Append=yes"], /did you mean --append\?/),
  refused(["worker", "t.ts", "--drain", "500000d"], /--drain must be at most 1,000 years, not "500000d"/),
  refused(["worker", "t.ts", "--queues", "heavy:4,heavy:5"], /--queues names the queue "heavy" twice/),
  refused(["backfill", "--set", "a=1"], /the option '--table <table>' is missing/),
  refused(["sql", "SELECT 1", "--into", "env:NOWHERE"], /--into env:NOWHERE names an environment variable/),
  refused(["status", "zzz"], /There is no store at .*store\.db, which PAWL_STORE names: correct it/),
  refused(["resume", "last"], /There is no store at .*store\.db, which PAWL_STORE names: correct it/),
  refused(["run", "job.ts"], /The job module .*job\.ts does not exist/),
  refused(["run", "people.csv"], /The job module .*people\.csv could not be imported/),
  refused(["postgres", "restart"], /start, stop or url, not "restart"/),
];
