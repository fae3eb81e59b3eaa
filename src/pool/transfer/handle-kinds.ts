/** Loaded for its effect: makes known every kind of handle that can come from another thread or process. */
import "../shared/counter.ts";
import "../shared/lock.ts";
import "../shared/objects/objects.ts";
import "../shared/shared-array.ts";
import "../actor/remote/remote-actor.ts";
