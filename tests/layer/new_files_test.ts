/** What new files get from where they are made, and that layers decide all the same. */

import { assert, assertEquals } from "@std/assert";
import fs from "node:fs";
import { applyLayers } from "../../src/layer/apply_layers.ts";
import { mayHaveDefaultAcl, NewFiles } from "../../src/layer/new_files.ts";
import type { ToldTree } from "../../src/layer/lower_tree.ts";
import { NO_TRAITS } from "../../src/layer/traits.ts";
import { LayerScan } from "../../src/layer/scan_layer.ts";
import { LayerApplier } from "../../src/layer/apply.ts";
import { Tree } from "../../src/layer/tree.ts";
import { extractNow } from "../fixtures/extract_now.ts";
import { scanAll } from "../fixtures/scan_all.ts";
import { DEFAULT_ACL, dir, file, hardlink, symlink, tarball } from "../fixtures/tar.ts";
import { IS_ROOT, output } from "../fixtures/tree.ts";
import { type Place, withPlace } from "./place.ts";

const NEVER = new AbortController().signal;
const BELOW = { mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, xattrs: null };

/** Gives a directory a default access control list, by tar, whose archive says so. */
async function setDefaultAcl(directory: string, list: string): Promise<void> {
  const member = dir(".", { mode: 0o755, pax: { "SCHILY.acl.default": list } });
  const path = `${directory}.tar`;
  await Deno.writeFile(path, tarball([member]));
  await output("tar", ["--extract", "--acls", `--file=${path}`, `--directory=${directory}`]);
  await Deno.remove(path);
}

/** Owner and mode of a path below the root of a place. */
function has({ root }: Place, path: string): string {
  const { uid, gid, mode } = fs.lstatSync(`${root}/${path}`);
  return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
}

/**
 * Applies a layer to the place as if nothing had an access control list.
 *
 * @param told what the layers below have said of themselves
 * @returns what the tree says of itself
 */
function applyPlainly(
  { root, scratch }: Place,
  layer: readonly Uint8Array[],
  told: ToldTree | null = null,
): ToldTree | null {
  const base = { traits: NO_TRAITS, isPlain: true, told };
  const tree = new Tree(root, scratch, IS_ROOT, extractNow(), base);
  scanAll(new LayerScan((scanner) => new LayerApplier(tree, scanner, () => {})), tarball(layer));
  tree.finish();
  return tree.told;
}

Deno.test("files are plain where root makes them, and where no directory says otherwise", {
  ignore: !IS_ROOT,
}, () =>
  withPlace(({ root }) => {
    const files = new NewFiles(true);
    assert(!files.belongTo({ uid: 0, gid: 0 }), "nobody has looked");
    fs.mkdirSync(`${root}/a`);
    files.look(`${root}/a`);
    assert(files.belongTo({}));
    assert(!files.belongTo({ uid: 1 }) && !files.belongTo({ gid: 1 }));
    files.enter(BELOW);
    assert(files.belongTo({}));
    files.enter({ ...BELOW, mode: 0o2755 });
    assert(!files.belongTo({}), "the setgid bit gives the group on");
  }));

Deno.test(
  "a directory of another group tells that files are not plain",
  { ignore: !IS_ROOT },
  () =>
    withPlace(({ root }) => {
      for (const [name, mode] of [["group", 0o755], ["setgid", 0o2755]] as const) {
        const files = new NewFiles(true);
        fs.mkdirSync(`${root}/${name}`);
        if (name === "group") fs.chownSync(`${root}/${name}`, 0, 50);
        fs.chmodSync(`${root}/${name}`, mode);
        files.look(`${root}/${name}`);
        assert(!files.belongTo({}), name);
        const below = new NewFiles(true);
        fs.mkdirSync(`${root}/${name}-below`);
        below.look(`${root}/${name}-below`);
        below.enter({ ...BELOW, gid: name === "group" ? 50 : 0, mode });
        assert(!below.belongTo({}), `below ${name}`);
      }
    }),
);

Deno.test("where files may not be plain, no look changes that", () =>
  withPlace(({ root }) => {
    const files = new NewFiles(false);
    fs.mkdirSync(`${root}/a`);
    files.look(`${root}/a`);
    assert(!files.belongTo({}));
  }));

Deno.test("every owner and mode is that of the layer, beside those of others", {
  ignore: !IS_ROOT,
}, () =>
  withPlace((place) => {
    applyPlainly(place, [
      dir("d", { mode: 0o2775, gid: 50 }),
      file("d/root", "x", { mode: 0o666 }),
      file("d/other", "x", { mode: 0o4750, uid: 7, gid: 8 }),
      file("d/setuid", "x", { mode: 0o6755 }),
      symlink("d/link", "root"),
      symlink("d/others-link", "root", { uid: 7, gid: 8 }),
    ]);
    applyPlainly(place, [
      dir("first"),
      file("d/late", "x", { mode: 0o640 }),
      dir("d/e", { mode: 0o700 }),
      file("d/e/late", "x"),
      symlink("d/late-link", "root"),
    ]);
    const found = ["d", "d/root", "d/other", "d/setuid", "d/link", "d/others-link"]
      .map((path) => has(place, path));
    assertEquals(found, [
      "0:50 2775",
      "0:0 666",
      "7:8 4750",
      "0:0 6755",
      "0:0 777",
      "7:8 777",
    ]);
    const late = ["d/late", "d/e", "d/e/late", "d/late-link"].map((path) => has(place, path));
    assertEquals(late, ["0:0 640", "0:0 700", "0:0 644", "0:0 777"]);
  }));

Deno.test(
  "a hard link waits beside its file, whoever that belongs to",
  { ignore: !IS_ROOT },
  () =>
    withPlace((place) => {
      const links = [["root-twin", "d/root"], ["others-twin", "d/other"]] as const;
      applyPlainly(place, [
        dir("d"),
        file("d/root", "x"),
        file("d/other", "y", { uid: 7 }),
        ...links.map(([name, target]) => hardlink(name, target)),
      ]);
      for (const [name, target] of links) {
        assertEquals(
          fs.lstatSync(`${place.root}/${name}`).ino,
          fs.lstatSync(`${place.root}/${target}`).ino,
          name,
        );
      }
    }),
);

Deno.test(
  "a layer may bring default access control lists itself",
  { ignore: !IS_ROOT },
  () =>
    withPlace((place) => {
      const plain = applyPlainly(place, [dir("c", { pax: { "SCHILY.xattr.user.x": "y" } })]);
      assertEquals(plain?.mayGiveAcls, false);
      const first = applyPlainly(place, [dir("d", DEFAULT_ACL)], plain);
      const second = applyPlainly(place, [dir("e"), file("d/f", "x", { mode: 0o666 })], first);
      assertEquals([first?.mayGiveAcls, second?.mayGiveAcls], [true, true]);
      assertEquals(has(place, "d/f"), "0:0 666");
    }),
);

Deno.test("a default access control list is found, and does not change the modes of a layer", {
  ignore: !IS_ROOT,
}, () =>
  withPlace(async (place) => {
    const { root, scratch } = place;
    assertEquals(await mayHaveDefaultAcl([root, scratch], NEVER), false);
    await setDefaultAcl(root, "user::rwx,group::r-x,other::---");
    assertEquals(await mayHaveDefaultAcl([scratch, root], NEVER), true);
    assertEquals(await mayHaveDefaultAcl([`${root}/absent`], NEVER), true);
    // Large enough for the question to be asked.
    const bulk = crypto.getRandomValues(new Uint8Array(64 * 1024));
    const members = Array.from({ length: 80 }, (_, i) => file(`d/bulk-${i}`, bulk));
    const blob = tarball([dir("d"), file("d/open", "x", { mode: 0o666 }), ...members]);
    const path = `${place.blobs}/blob`;
    await Deno.writeFile(path, blob);
    const content = { path, offset: 0, length: blob.length };
    const layer = { content, digest: null, diffId: null, size: null };
    const job = { root, scratch, layers: [layer], asRoot: true, traits: NO_TRAITS };
    await applyLayers({ ...job, engine: "wasm" }, NEVER, () => {});
    assertEquals([has(place, "d"), has(place, "d/open")], ["0:0 755", "0:0 666"]);
  }));
