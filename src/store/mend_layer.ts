/**
 * What becomes of a layer whose contents were altered (`fsck --deep --repair`).
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { VerifyOptions } from "../layer/verify_layer.ts";
import { checkContents } from "./check_contents.ts";
import type { StoredLayer } from "./layer_record.ts";
import { LayerFS } from "./layerfs.ts";
import type { Store } from "./store.ts";

/**
 * Gives the layer its contents again where the driver has them; else removes it, as the next create
 * of its image makes it anew.
 *
 * @param user what needs the layer, for people to read; null where nothing does
 * @throws {LayerfsError} where it stays as it is; the message says what to do
 */
export async function mendLayer(
  store: Store,
  layer: StoredLayer,
  user: string | null,
  options: Pick<VerifyOptions, "engine" | "signal">,
): Promise<void> {
  const { chainId } = layer;
  if (await store.driver.restoreLayer(chainId)) {
    const [still] = await checkContents(store, [layer], options);
    if (still === undefined) return;
    const state = `it has the contents that it was made with again, but ${still.detail}`;
    throw new LayerfsError("storage", `Cannot restore layer ${chainId}: ${state}`, { chainId });
  }
  if (user !== null) {
    const advice = "remove what needs it, run layerfs gc, and create it anew";
    throw new LayerfsError("conflict", `Cannot remove layer ${chainId}: ${user}; ${advice}`, {
      chainId,
    });
  }
  await new LayerFS(store).removeLayer(chainId);
}
