/**
 * Layers applied with skeletons in this thread, and verified.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { TarScanner } from "../../src/core/tar_scanner.ts";
import { LayerApplier } from "../../src/layer/apply.ts";
import { scanWithSkeleton } from "../../src/layer/skeleton.ts";
import { Tree } from "../../src/layer/tree.ts";
import {
  type Difference,
  type LayerToVerify,
  type LayerVerdict,
  verifyLayers,
  type VerifyOptions,
} from "../../src/layer/verify_layer.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { digestOf } from "../fixtures/image.ts";
import { extractNow } from "../fixtures/extract_now.ts";
import { scanAll } from "../fixtures/scan_all.ts";
import { tarball } from "../fixtures/tar.ts";
import { IS_ROOT, output } from "../fixtures/tree.ts";

/** How layers are applied. */
export interface ApplyOptions {
  algorithm?: "sha256" | "sha512";
  asRoot?: boolean;
  /** Adds to each tar behind its members, which {@linkcode tarball} joins. */
  trailer?: Uint8Array;
}

/** Layers applied one on top of the other to `root`. */
export interface Applied {
  dir: string;
  root: string;
  asRoot: boolean;
  layers: LayerToVerify[];
}

/** Applies layers, hands the result to `use`, and removes everything. */
export async function withLayers(
  layers: readonly (readonly Uint8Array[])[],
  o: ApplyOptions,
  use: (applied: Applied) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "layerfs-skeleton-" });
  const root = `${dir}/root`;
  const applied: Applied = { dir, root, asRoot: o.asRoot ?? IS_ROOT, layers: [] };
  for (const name of ["root", "scratch"]) Deno.mkdirSync(`${dir}/${name}`);
  try {
    applyAll(applied, layers, o);
    await use(applied);
  } finally {
    const closed = ["-type", "d", "!", "-perm", "-700"];
    await output("find", [dir, ...closed, "-exec", "chmod", "u+rwx", "{}", ";"]);
    await Deno.remove(dir, { recursive: true });
  }
}

/** Applies layers on top of what is there. */
export function applyAll(
  applied: Applied,
  layers: readonly (readonly Uint8Array[])[],
  o: ApplyOptions,
): void {
  const { dir, root } = applied;
  const tree = new Tree(root, `${dir}/scratch`, applied.asRoot, extractNow());
  try {
    layers.forEach((members, i) => {
      const tar = tarball(o.trailer === undefined ? members : [...members, o.trailer]);
      const diffId = parseDigest(digestOf(tar, o.algorithm));
      const skeletonPath = `${dir}/${i}.skeleton`;
      const visit = (scanner: TarScanner) => new LayerApplier(tree, scanner, () => {});
      scanAll(scanWithSkeleton(visit, skeletonPath), tar);
      applied.layers.push({ diffId, skeletonPath, root });
    });
    tree.finish();
  } finally {
    tree.spool.close();
  }
}

/** Verifies all layers, with nothing left in the scratch directory. */
export async function verify(
  { dir, asRoot, layers }: Applied,
  o: Partial<VerifyOptions> = {},
): Promise<LayerVerdict[]> {
  const scratch = `${dir}/scratch`;
  const { signal } = new AbortController();
  const verdicts = await verifyLayers(layers, { engine: "wasm", scratch, asRoot, signal, ...o });
  assertEquals([...Deno.readDirSync(scratch)], []);
  return verdicts;
}

/** Asserts that every layer is as it was. */
export async function assertOk(applied: Applied): Promise<void> {
  for (const engine of ["wasm", "native"] as const) {
    assertEquals(await verify(applied, { engine }), applied.layers.map(() => ({ status: "ok" })));
  }
}

/** Asserts that the only layer is altered in these ways. */
export async function assertAltered(
  applied: Applied,
  expected: readonly Difference[],
): Promise<void> {
  assertEquals(await verify(applied), [{ status: "altered", differences: expected }]);
}
