import sharp from "sharp";

const WIDTH = 800;
const HEIGHT = 600;
/** A picture of more is refused before it is decoded: a small file can hold a very large one. */
const MAX_PIXELS = 50_000_000;

// Pictures come from strangers: only these can be read, by what they hold and not by their name.
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: ["VipsForeignLoadJpegBuffer", "VipsForeignLoadPngBuffer", "VipsForeignLoadWebpBuffer"],
});
// Each of Pawl's processes makes one picture at a time, and none twice.
sharp.concurrency(1);
sharp.cache(false);

/** Makes a picture fit inside 800×600; it keeps its kind and its name. `pawl copy … --transform resize.ts` calls this. */
export default async function resize(bytes: Uint8Array): Promise<Uint8Array> {
  try {
    // Of an animation, the first page.
    return await sharp(bytes, { limitInputPixels: MAX_PIXELS, pages: 1, failOn: "error" })
      .autoOrient()
      .resize({ width: WIDTH, height: HEIGHT, fit: "inside", withoutEnlargement: true })
      .toBuffer();
  } catch (error) {
    throw new Error(sentenceOf(error as Error));
  }
}

function sentenceOf({ message }: Error): string {
  if (/unsupported image format/.test(message)) return "it is not a JPEG, PNG or WebP picture";
  if (/exceeds pixel limit/.test(message)) return `it has more than ${MAX_PIXELS} pixels`;
  return message;
}
