/** Words of no field: a file name has none of them, not even as a part. */
const ANYWHERE = new Set([
  ...["alongside", "anew", "barren", "borrowed", "bury", "courtesy", "crew", "glance", "granule", "heart"],
  ...["hopeless", "hungry", "keeper", "ledger", "leftovers", "lookout", "mend", "mended", "nursery", "pulse"],
  ...[
    "rehearse",
    "residents",
    "settler",
    "shy",
    "stepping",
    "stillborn",
    "stranded",
    "strangers",
    "tombstone",
  ],
  ...["verdict"],
]);

/** Words that have a meaning as a part of a name, and none alone. */
const ALONE = new Set([
  ...[
    "arrivals",
    "beat",
    "bell",
    "body",
    "careful",
    "choice",
    "conclude",
    "decide",
    "direct",
    "ending",
    "hints",
  ],
  ...[
    "intake",
    "join",
    "lanes",
    "lead",
    "level",
    "line",
    "lines",
    "look",
    "marks",
    "member",
    "moves",
    "numbering",
  ],
  ...[
    "outcome",
    "pace",
    "place",
    "seal",
    "slot",
    "standing",
    "stretch",
    "tag",
    "take-over",
    "taken",
    "way",
    "wire",
  ],
]);

/** The word in the name of a file, or of a folder on its way, that the glossary replaces; null where there is none. */
export function replacedWord(file: string): string | null {
  for (const part of file.replace(/\.ts$/, "").split("/")) {
    const name = part.replace(/\.(?:test|long|referee)$/, "");
    if (ALONE.has(name)) return name;
    const word = name.split("-").find((each) => ANYWHERE.has(each));
    if (word !== undefined) return word;
  }
  return null;
}
