import "../shared/index.ts";
import "../actor/remote/remote-actor.ts";

/** Makes known every kind of handle that can come from another thread or process. */
