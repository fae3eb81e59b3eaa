import { startEmbedded, stopEmbedded } from "../../connect/postgres/index.ts";
import { embeddedUrl } from "../../connect/postgres/internal.ts";
import { PawlError } from "../../errors.ts";
import { stateLocation } from "../../store/internal.ts";
import { print } from "../terminal/output.ts";

/** `pawl postgres start|stop|url`: the embedded server of this folder. */
export async function postgresServer(what: string): Promise<void> {
  const { postgres } = stateLocation();
  switch (what) {
    case "start":
      print(`${(await startEmbedded(postgres)).url}`);
      return;
    case "stop":
      await stopEmbedded(postgres);
      return;
    case "url":
      print(`${await embeddedUrl(postgres)}`);
      return;
    default:
      throw new PawlError("usage.postgres", `pawl postgres takes start, stop or url, not "${what}".`);
  }
}
