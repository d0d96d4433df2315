/** What waits for tar, while tar is at it. */

import { assertEquals } from "@std/assert";
import { LayerApplier } from "../../src/layer/apply.ts";
import type { Extractor, Spool } from "../../src/layer/extractor.ts";
import { LayerScan } from "../../src/layer/scan_layer.ts";
import { Tree } from "../../src/layer/tree.ts";
import { extractNow } from "../fixtures/extract_now.ts";
import { scanAll } from "../fixtures/scan_all.ts";
import { dir, file, hardlink, symlink, tarball } from "../fixtures/tar.ts";
import { IS_ROOT } from "../fixtures/tree.ts";

/** An extractor that has made nothing of a spool until it is waited for. */
function extractLater(): Extractor {
  const now = extractNow();
  const spools: Spool[] = [];
  return {
    begin: (spool) => void spools.push(spool),
    finish() {
      for (const spool of spools.splice(0)) now.begin(spool);
      return now.finish();
    },
  };
}

Deno.test("a symlink may be gone through while tar makes it", () => {
  const top = Deno.makeTempDirSync({ prefix: "layerfs-spool-" });
  const [root, scratch] = [`${top}/root`, `${top}/scratch`];
  for (const directory of [root, scratch]) Deno.mkdirSync(directory);
  const fine = { pax: { mtime: "1000000000.123456789" } };
  const layers = [
    [dir("directory"), file("directory/f", "x"), symlink("link", "directory", fine)],
    [hardlink("twin", "link/f"), file("link/g", "y")],
  ];
  const tree = new Tree(root, scratch, IS_ROOT, extractLater());
  try {
    for (const members of layers) {
      const scan = new LayerScan((scanner) => new LayerApplier(tree, scanner, () => {}));
      scanAll(scan, tarball(members));
    }
    tree.finish();
    const read = (path: string) => Deno.readTextFileSync(`${root}/${path}`);
    assertEquals([read("twin"), read("directory/g")], ["x", "y"]);
  } finally {
    tree.spool.close();
    Deno.removeSync(top, { recursive: true });
  }
});
