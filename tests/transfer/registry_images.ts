/**
 * Images in a registry of the test's own.
 *
 * @module
 */

import { type BuiltImage, digestOf, imageLayout, type ImageSpec } from "../fixtures/image.ts";
import type { FaultyRegistry } from "../registry/faulty_registry.ts";
import { settingsFor } from "../registry/harness.ts";
import { copy, LAYERS } from "./harness.ts";

/** Where a registry is known to be insecure, and nothing else of the machine. */
export const access = ({ host }: FaultyRegistry) => ({
  registry: () => Promise.resolve(settingsFor([host])),
});

/** An image in a layout and in a registry, by the name "team/app:1". */
export async function pushed(
  registry: FaultyRegistry,
  dir: string,
  spec: Partial<ImageSpec> = {},
): Promise<{ image: BuiltImage; name: string }> {
  const image = imageLayout(`${dir}/image`, { layers: LAYERS, ...spec });
  const name = `${registry.host}/team/app:1`;
  await copy(image.reference, `docker://${name}`, access(registry));
  nameByDigest(registry);
  return { image, name };
}

/** What a real registry does by itself: a manifest that came by a tag is there by its digest. */
export function nameByDigest(registry: FaultyRegistry): void {
  for (const manifest of [...registry.manifests.values()]) {
    registry.manifests.set(digestOf(manifest.bytes), manifest);
  }
  registry.asked.length = 0;
}
