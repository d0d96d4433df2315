/**
 * What trees say of themselves, and how members of an archive get into one.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { LayerApplier } from "../../src/layer/apply.ts";
import { type LowerTree, readLowerTree } from "../../src/layer/lower_tree.ts";
import { LayerScan } from "../../src/layer/scan_layer.ts";
import type { Tree } from "../../src/layer/tree.ts";
import { scanAll } from "../fixtures/scan_all.ts";
import { tarball } from "../fixtures/tar.ts";

/** Applies a layer of these tar members to a tree. */
export function scanMembers(tree: Tree, members: readonly Uint8Array[]): void {
  const scan = new LayerScan((scanner) => new LayerApplier(tree, scanner, () => {}));
  scanAll(scan, tarball(members));
}

/** Asserts that what a tree says of itself is what there is. */
export function assertExact(told: LowerTree, root: string): void {
  const found = readLowerTree(root, { rawNames: true, open: false });
  const sorted = ({ directories, rawFiles, rawTargets, names }: LowerTree) => ({
    directories: [...directories].sort(),
    rawFiles: [...rawFiles].sort(),
    rawTargets: [...rawTargets].sort(),
    names: rawFiles.map((path) => names.get(path.slice(path.lastIndexOf("/") + 1))),
  });
  assertEquals(sorted(told), sorted({ ...found, rawFiles: [...found.rawFiles].sort() }));
}
