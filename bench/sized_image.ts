/**
 * Images of any size: text in base64 of a keystream, one file a layer, which gzip brings to three
 * quarters.
 *
 * @module
 */

import { imageLayout, type LayerSpec } from "../tests/fixtures/image.ts";
import { must } from "../tests/platform/harness.ts";

/** Writes a layer's blob to $1, and prints its digest, its size and its diffID. $2: MiB, $3: seed. */
const MAKE_LAYER = `
  mkdir "$1.tree"
  head -c $(($2 * 786432)) /dev/zero |
    openssl enc -aes-128-ctr -K "$(printf %032x "$3")" -iv 00 2>/dev/null |
    base64 --wrap=0 >"$1.tree/file-$3"
  tar -C "$1.tree" -c --sort=name --mtime=@0 . | tee >(sha256sum | cut -c1-64 >"$1.diff") |
    gzip -1 -n >"$1"
  rm -r "$1.tree"
  while [ ! -s "$1.diff" ]; do sleep 0.01; done
  echo "$(sha256sum <"$1" | cut -c1-64) $(stat -c %s "$1") $(cat "$1.diff")"`;

/**
 * Makes an image of `layers` layers, each of `mib` MiB.
 *
 * @returns its reference: a layout in `directory`, which must not exist
 */
export async function makeImage(
  directory: string,
  layers: number,
  mib: number,
): Promise<string> {
  const made: [path: string, digest: string, size: number, diffId: string][] = [];
  for (let layer = 0; layer < layers; layer++) {
    const path = `${directory}.layer${layer}`;
    const args = [path, `${mib}`, `${layer + 1}`];
    const words = await must(["bash", "-euo", "pipefail", "-c", MAKE_LAYER, "layer", ...args]);
    const [digest = "", size, diffId = ""] = words.trim().split(" ");
    made.push([path, digest, Number(size), diffId]);
  }
  const specs = made.map(([_, digest, size, diffId]): LayerSpec => ({
    missing: true,
    compression: "gzip",
    digest: `sha256:${digest}`,
    size,
    diffId: `sha256:${diffId}`,
  }));
  const { reference } = imageLayout(directory, { layers: specs });
  for (const [path, digest] of made) await Deno.rename(path, `${directory}/blobs/sha256/${digest}`);
  return reference;
}
