const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const WRITABLE_BY_OTHERS = 0o022;

/**
 * The folder in which Node keeps what it has compiled; null where there can be none. Node runs what it finds there without
 * a question, and would by itself take a folder under /tmp that anybody may have made before. `base` is for tests.
 */
module.exports = function cacheFolder(base) {
  // On Windows each user has a folder of their own for temporary files.
  if (!process.geteuid) return path.join(os.tmpdir(), "node-compile-cache");
  try {
    const own = path.join(base ?? baseFolder(), "pawl");
    const folder = path.join(own, "compiled");
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    return isOurs(own) && isOurs(folder) ? folder : null;
  } catch {
    return null;
  }
};

/** By the user's entry in the system and not by HOME, which is another user's under some ways to become root. */
function baseFolder() {
  return process.geteuid() === 0 ? "/var/cache" : path.join(os.userInfo().homedir, ".cache");
}

function isOurs(folder) {
  const found = fs.lstatSync(folder);
  return found.isDirectory() && found.uid === process.geteuid() && (found.mode & WRITABLE_BY_OTHERS) === 0;
}
