/**
 * The driver that needs nothing: every container has its own copy of all layers in a directory.
 *
 * @module
 */

import { applyLayers } from "../layer/apply_layers.ts";
import type { Driver, RootfsRequest, RootfsResult } from "./driver.ts";

export class DirectoryDriver implements Driver {
  readonly name = "directory";
  readonly hasQuota = false;

  async createRootfs(request: RootfsRequest): Promise<RootfsResult> {
    const { rootfs, scratch, layers, engine, signal, onProgress } = request;
    const asRoot = Deno.uid() === 0;
    const job = { root: rootfs, scratch, layers, engine, asRoot };
    const result = await applyLayers(job, signal, onProgress);
    const sum = (key: "compressed" | "uncompressed") =>
      result.layers.reduce((total, layer) => total + layer[key], 0);
    return {
      reused: 0,
      applied: layers.length,
      compressed: sum("compressed"),
      uncompressed: sum("uncompressed"),
      warnings: result.warnings,
    };
  }
}
