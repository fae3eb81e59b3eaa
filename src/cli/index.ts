/** The configuration of the `pawl` command. */
export { defineConfig, type PawlConfig, type PawlProfile } from "./config.ts";
