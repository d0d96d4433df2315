/**
 * Small images for the stress tests, and which files a container of each has.
 *
 * @module
 */

import { imageLayout, type LayerSpec } from "../fixtures/image.ts";
import { dir, file, hardlink, symlink, tarball, whiteout } from "../fixtures/tar.ts";

/** An image in a layout of its own. */
export interface StressImage {
  readonly reference: string;
  /** How many it has. */
  readonly layers: number;
  /** `PATH SIZE` of every regular file in a container of it, sorted. */
  readonly files: readonly string[];
}

/** Files of the base layer: so many that there is something to interrupt. */
const BASE_FILES = 200;

/**
 * Bytes that do not compress, in the base layer and in each of an image's own: so many that all threads
 * have work, and that layers are unpacked apart from each other where the driver allows it.
 */
const BASE_NOISE = 3 * 1024 * 1024;
const OWN_NOISE = 768 * 1024;

/** Files by path, with their content. */
type Files = Map<string, Uint8Array>;

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

/** Bytes that no compression makes fewer: the same for one `seed`. */
export function noise(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  // xorshift32 (Marsaglia 2003): any state but 0.
  let state = seed * 2654435761 >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** The base that all images of {@linkcode sharingImages} have. */
function baseLayer(files: Files): Uint8Array {
  const members = [dir("base")];
  for (let i = 0; i < BASE_FILES; i++) {
    const path = `base/${i}`;
    files.set(path, text(`file ${i} of the base\n`.repeat(1 + i % 40)));
    members.push(file(path, files.get(path)));
  }
  members.push(symlink("base/link", "199"), hardlink("base/hard", "base/198"));
  files.set("base/noise", noise(BASE_NOISE, 100));
  members.push(file("base/noise", files.get("base/noise")));
  files.set("base/hard", files.get("base/198") ?? new Uint8Array());
  // An extended attribute takes the way through tar.
  files.set("base/noted", text("noted\n"));
  members.push(file("base/noted", "noted\n", { pax: { "SCHILY.xattr.user.note": "stress" } }));
  return tarball(members);
}

/** A layer that all images share, too. */
function commonLayer(files: Files): Uint8Array {
  files.delete("base/7");
  files.set("base/8", text("replaced\n"));
  files.set("etc/passwd", text("root:x:0:0::/:/bin/true\n"));
  const passwd = file("etc/passwd", files.get("etc/passwd"));
  return tarball([dir("etc"), passwd, whiteout("base/7"), file("base/8", "replaced\n")]);
}

/** Two layers that only image number `i` has. */
function ownLayers(i: number, files: Files): Uint8Array[] {
  files.delete(`base/${20 + i}`);
  files.set(`own/${i}/name`, text(`image ${i}\n`));
  for (const n of [1, 2]) files.set(`own/${i}/noise${n}`, noise(OWN_NOISE + i, 2 * i + n));
  return [
    tarball([
      dir("own"),
      dir(`own/${i}`),
      file(`own/${i}/name`, `image ${i}\n`),
      file(`own/${i}/noise1`, files.get(`own/${i}/noise1`)),
    ]),
    tarball([
      whiteout(`base/${20 + i}`),
      file(`own/${i}/noise2`, files.get(`own/${i}/noise2`)),
    ]),
  ];
}

function write(directory: string, tars: readonly Uint8Array[], files: Files): StressImage {
  const layers: LayerSpec[] = tars.map((tar) => ({ tar, compression: "gzip" }));
  const { reference } = imageLayout(directory, { layers });
  const lines = [...files].map(([path, { length }]) => `${path} ${length}`);
  return { reference, layers: layers.length, files: lines.sort() };
}

/** Images of four layers, of which all share the lower two. */
export function sharingImages(directory: string, count: number): StressImage[] {
  return Array.from({ length: count }, (_, i) => {
    const files: Files = new Map();
    const tars = [baseLayer(files), commonLayer(files), ...ownLayers(i, files)];
    return write(`${directory}/image${i}`, tars, files);
  });
}

/**
 * An image to fill a disk with: a large file, many small ones, large ones again.
 *
 * @param unit bytes of a large file
 */
export function largeImage(directory: string, unit: number): StressImage {
  const files: Files = new Map();
  const layer = (paths: readonly (readonly [string, number])[]) => {
    for (const [path, length] of paths) files.set(path, noise(length, files.size + 1000));
    return tarball(paths.map(([path]) => file(path, files.get(path))));
  };
  const many = Array.from({ length: 100 }, (_, i) => [`many/${i}`, unit / 100 | 0] as const);
  const large = noise(unit, 1);
  const tars = [
    layer([["one", unit]]),
    layer(many),
    layer([["two", unit / 2 | 0], ["three", unit / 2 | 0], ["four", unit]]),
    // An extended attribute takes the way through tar.
    tarball([file("noted", large, { pax: { "SCHILY.xattr.user.note": "stress" } })]),
  ];
  files.set("noted", large);
  return write(`${directory}/large`, tars, files);
}
