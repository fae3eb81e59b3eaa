/** The longest name of one file or folder, in bytes, on the file systems in use. */
const LONGEST = 255;
const WINDOWS_RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$/i;

/** Why a key cannot be a file below a folder; null where it can. */
export function refusedName(key: string, platform: NodeJS.Platform = process.platform): string | null {
  if (key === "") return "its name is empty";
  if (key.includes("\0")) return "its name holds a NUL character";
  if (key.endsWith("/")) return "its name ends in / as that of a folder does";
  for (const part of key.split("/")) {
    const refused = refusedPart(part, platform);
    if (refused !== null) return refused;
  }
  return null;
}

function refusedPart(part: string, platform: NodeJS.Platform): string | null {
  if (part === "") return "its name holds an empty part (// or a / at the beginning)";
  if (part === "." || part === "..") return `its name holds ${part}, which leads elsewhere`;
  if (Buffer.byteLength(part) > LONGEST) return `a part of its name is longer than ${LONGEST} bytes`;
  if (platform !== "win32") return null;
  if (/[<>:"|?*\\]/.test(part) || /[. ]$/.test(part) || WINDOWS_RESERVED.test(part))
    return `Windows cannot have a file called ${part}`;
  return null;
}
