import stringWidth from "string-width";

const segmenter = new Intl.Segmenter();

/** As much of a text as fits into so many cells of a terminal. */
export function clipped(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += stringWidth(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return width < 1 ? "" : `${kept}…`;
}
