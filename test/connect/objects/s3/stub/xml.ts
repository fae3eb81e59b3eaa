/** Text as it stands in an element; what XML cannot hold stands as a character reference, as S3 writes it. */
export function text(value: string): string {
  return value.replace(/[&<>"\p{Cc}]/gu, (c) =>
    c === "&" ? "&amp;" : c === "<" ? "&lt;" : c === ">" ? "&gt;" : `&#x${c.charCodeAt(0).toString(16)};`,
  );
}

export function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

/** What stands in each element of a name. */
export function elements(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "gs"))].map(([, content = ""]) => content);
}

export function unescaped(value: string): string {
  return value
    .replace(/&#(x?)([0-9a-fA-F]+);/g, (_, hex, code) => String.fromCodePoint(parseInt(code, hex ? 16 : 10)))
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}
