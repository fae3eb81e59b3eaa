/** The scheme of a text that is a URL, as it is written: `s3` of `s3://bucket/key`; null for a path. One letter is a drive of Windows. */
export function urlScheme(text: string): string | null {
  return /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1] ?? null;
}

/** Whether a text is a URL rather than a path. */
export function isUrl(text: string): boolean {
  return urlScheme(text) !== null;
}

/** Whether a text is a URL of the web. */
export function isWebUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}
