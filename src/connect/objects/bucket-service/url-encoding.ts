/** As S3 signs it: everything but letters, digits and `-._~` is escaped. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** A key as it stands in a URL. */
export function encodePath(key: string): string {
  return encode(key).replaceAll("%2F", "/");
}

/** `?a=b&c=d`, or nothing. */
export function encodeQuery(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([name, value]) => `${encode(name)}=${encode(value)}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
