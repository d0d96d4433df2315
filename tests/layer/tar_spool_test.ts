/** What waits for tar, while tar is at it. */

import { assert, assertEquals } from "@std/assert";
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

/** Applies layers, and calls `look` with the root of the tree. */
function apply(layers: readonly Uint8Array[][], look: (root: string) => void): void {
  const top = Deno.makeTempDirSync({ prefix: "layerfs-spool-" });
  const [root, scratch] = [`${top}/root`, `${top}/scratch`];
  for (const directory of [root, scratch]) Deno.mkdirSync(directory);
  const tree = new Tree(root, scratch, IS_ROOT, extractLater());
  try {
    for (const members of layers) {
      const scan = new LayerScan((scanner) => new LayerApplier(tree, scanner, () => {}));
      scanAll(scan, tarball(members));
    }
    tree.finish();
    look(root);
  } finally {
    tree.spool.close();
    Deno.removeSync(top, { recursive: true });
  }
}

const FINE = { mtime: "1000000000.123456789" };

Deno.test("a symlink may be gone through while tar makes it", () => {
  const layers = [
    [dir("directory"), file("directory/f", "x"), symlink("link", "directory", { pax: FINE })],
    [hardlink("twin", "link/f"), file("link/g", "y")],
  ];
  apply(layers, (root) => {
    const read = (path: string) => Deno.readTextFileSync(`${root}/${path}`);
    assertEquals([read("twin"), read("directory/g")], ["x", "y"]);
  });
});

Deno.test("what tar writes has the holes that the layer says", () => {
  const size = 40_000_000;
  // Two in one page, one at its end, one across two, one of several pages, the last bytes.
  const regions = [[4, 3], [4000, 96], [8190, 5], [20_000_000, 100_000], [size - 3, 3]] as const;
  const expected = new Uint8Array(size);
  let stored = "";
  for (const [offset, length] of regions) {
    const text = `${offset} `.padEnd(length, "x").slice(0, length);
    expected.set(new TextEncoder().encode(text), offset);
    stored += text;
  }
  const sparse = { "GNU.sparse.size": `${size}`, "GNU.sparse.map": regions.join(",") };
  const hole = { "GNU.sparse.size": `${size}`, "GNU.sparse.map": `${size},0` };
  const members = [
    file("f", stored, { pax: { ...FINE, ...sparse } }),
    file("hole", "", { pax: { ...FINE, ...hole } }),
    file("empty", "", { pax: { ...FINE, "GNU.sparse.size": "0", "GNU.sparse.map": "0,0" } }),
    file("next", "x", { pax: FINE }),
  ];
  apply([members], (root) => {
    const of = (name: string) => Deno.statSync(`${root}/${name}`);
    assert(Deno.readFileSync(`${root}/f`).every((byte, at) => byte === expected[at]));
    assertEquals(["f", "hole", "empty", "next"].map((name) => of(name).size), [size, size, 0, 1]);
    for (const name of ["f", "hole"]) assert(of(name).blocks! * 512 < 1_000_000, name);
    assertEquals(Deno.readTextFileSync(`${root}/next`), "x");
  });
});
