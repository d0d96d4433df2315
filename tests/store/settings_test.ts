/** What a store remembers of its first use. */

import { assertEquals } from "@std/assert";
import { hasNoLayers } from "../../src/store/settings.ts";

Deno.test("a store has no layers where it is new, or keeps none", async () => {
  const store = await Deno.makeTempDir({ prefix: "layerfs-settings-" });
  const withSettings = (settings: Record<string, unknown>) => {
    Deno.writeTextFileSync(`${store}/store.json`, JSON.stringify({ version: 1, ...settings }));
    return hasNoLayers(store);
  };
  try {
    assertEquals(hasNoLayers(store), true);
    assertEquals(hasNoLayers(`${store}/missing`), true);
    assertEquals(withSettings({ driver: "directory" }), true);
    assertEquals(withSettings({ driver: "directory", keepsLayers: true }), false);
    assertEquals(withSettings({ driver: "overlay" }), false);
    assertEquals(withSettings({ driver: "zfs", dataset: "pool/data" }), false);
  } finally {
    await Deno.remove(store, { recursive: true });
  }
});
