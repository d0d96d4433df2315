/**
 * `layerfs images`.
 *
 * @module
 */

import { fullName, listImages } from "../../container/images.ts";
import type { Context, Input, Outcome } from "../context.ts";
import type { SPECS } from "../specs.ts";
import { formatBytes } from "../style.ts";
import { formatTable } from "../table.ts";

const HEAD = ["NAME", "TAG", "DIGEST", "CREATED", "PLATFORM", "LAYERS", "SIZE"];

/** Lists the images. */
export async function images(
  _input: Input<(typeof SPECS)["images"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const document = await listImages(context.store(), context.onWarning);
  const rows = document.map(({ name, tag, digest, created, platform, layers, bytes }) => [
    name,
    tag || "-",
    digest,
    created?.replace(/\.\d+/, "") ?? "-",
    platform,
    `${layers}`,
    formatBytes(bytes),
  ]);
  const text = context.globals.quiet
    ? document.map((image) => `${fullName(image)}\n`).join("")
    : formatTable(HEAD, rows, context.style);
  return { document, text };
}
