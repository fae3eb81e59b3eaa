/** The names under which runs of Pawl's own commands are stored in place of a module. */
export const LOAD_MODULE = "pawl:load";
export const BACKFILL_MODULE = "pawl:backfill";
export const COPY_MODULE = "pawl:copy";
export const REPLAY_MODULE = "pawl:replay";
