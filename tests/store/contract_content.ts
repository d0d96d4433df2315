/**
 * The contract of drivers: what layers on top of each other say of their files holds.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  block,
  character,
  dir,
  fifo,
  file,
  hardlink,
  latin1,
  opaque,
  symlink,
  whiteout,
} from "../fixtures/tar.ts";
import { assertTree, d, dev, f, implied, l, p, type Tree } from "../fixtures/tree.ts";
import { bash, treeDifferences } from "./contract_compare.ts";
import { type ContractTest, Flat, type Ground } from "./contract_ground.ts";

/** A file capability of revision 2, as setcap(8) writes cap_net_bind_service=ep. */
const CAPABILITY = Uint8Array.from([1, 0, 0, 2, 0, 4, ...new Array(14).fill(0)]);

/** Layers and the tree that they give, entry by entry. */
interface Case {
  readonly name: string;
  readonly layers: readonly (readonly Uint8Array[])[];
  readonly tree: Tree;
}

const CASES: readonly Case[] = [
  {
    name: "a deleted file stays hidden through an empty layer",
    layers: [[dir("./"), file("a", "a"), file("b", "b")], [whiteout("a")], [], [file("c", "c")]],
    tree: { "": d(), b: f("b"), c: f("c") },
  },
  {
    name: "a deleted file comes back as another one",
    layers: [[file("a", "lower", { mode: 0o600, uid: 7 })], [whiteout("a")], [file("a", "upper")]],
    tree: { a: f("upper") },
  },
  {
    name: "a lower directory is removed, and stays so",
    layers: [[dir("d"), dir("d/e"), file("d/e/f", "f"), file("a")], [whiteout("d")], []],
    tree: { a: f("") },
  },
  {
    name: "a lower directory is removed and made anew",
    layers: [
      [dir("d", { mode: 0o700 }), file("d/lower", "lower"), dir("d/e"), file("d/e/f", "f")],
      [whiteout("d")],
      [dir("d"), dir("d/e")],
    ],
    tree: { d: d(), "d/e": d() },
  },
  {
    name: "a lower directory is made opaque, and filled again",
    layers: [
      [dir("d"), file("d/lower", "lower"), file("d/both", "lower")],
      [opaque("d"), file("d/both", "upper")],
      [file("d/top", "top")],
    ],
    tree: { d: d(), "d/both": f("upper"), "d/top": f("top") },
  },
  {
    name: "chown and chmod of a directory keep what is in it",
    layers: [
      [dir("d", { mode: 0o700 }), file("d/a", "a", { mode: 0o640, uid: 5, gid: 6 })],
      [dir("d", { mode: 0o1777, uid: 8, gid: 9 })],
    ],
    tree: {
      d: d({ mode: 0o1777, owner: "8:9" }),
      "d/a": f("a", { mode: 0o640, owner: "5:6" }),
    },
  },
  {
    name: "chown and chmod of a file, and a file that was renamed",
    layers: [
      [file("a", "a", { mode: 0o640, uid: 5 }), file("b", "b", { mode: 0o4711, uid: 6 })],
      [file("a", "a", { mode: 0o2755, uid: 7, gid: 8 })],
      [whiteout("b"), file("c", "b", { mode: 0o4711, uid: 6 })],
    ],
    tree: {
      a: f("a", { mode: 0o2755, owner: "7:8" }),
      c: f("b", { mode: 0o4711, owner: "6:0" }),
    },
  },
  {
    name: "a directory that was renamed",
    layers: [
      [dir("from", { mode: 0o750 }), file("from/a", "a"), dir("from/d"), file("from/d/b", "b")],
      [
        whiteout("from"),
        dir("to", { mode: 0o750 }),
        file("to/a", "a"),
        dir("to/d"),
        file("to/d/b", "b"),
      ],
    ],
    tree: { to: d({ mode: 0o750 }), "to/a": f("a"), "to/d": d(), "to/d/b": f("b") },
  },
  {
    name: "one type takes the place of another",
    layers: [
      [file("a", "a"), dir("b"), file("b/c", "c"), symlink("c", "a"), fifo("d"), dir("e")],
      [dir("a"), file("a/f", "f"), file("b", "b"), dir("c"), symlink("d", "a"), fifo("e")],
      [symlink("a", "b"), dir("b"), file("c", "c"), dir("d"), file("e", "e")],
    ],
    tree: { a: l("b"), b: d(), c: f("c"), d: d(), e: f("e") },
  },
  {
    name: "links within a layer",
    layers: [
      [file("a", "a"), hardlink("b", "a")],
      [file("c", "c", { mode: 0o755 }), hardlink("d", "c"), symlink("e", "d"), hardlink("f", "e")],
    ],
    tree: {
      a: f("a", { links: ["a", "b"] }),
      b: f("a", { links: ["a", "b"] }),
      c: f("c", { mode: 0o755, links: ["c", "d"] }),
      d: f("c", { mode: 0o755, links: ["c", "d"] }),
      e: { ...l("d", { links: ["e", "f"] }) },
      f: { ...l("d", { links: ["e", "f"] }) },
    },
  },
  {
    name: "a parent that is a link of a lower layer",
    layers: [
      [dir("usr"), dir("usr/bin"), symlink("bin", "usr/bin"), file("usr/bin/old", "old")],
      [file("bin/sh", "sh"), whiteout("bin/old")],
    ],
    tree: { usr: d(), "usr/bin": d(), "usr/bin/sh": f("sh"), bin: l("usr/bin") },
  },
  {
    name: "setuid bits, capabilities, devices, FIFOs and names of all kinds",
    layers: [
      [
        file("su", "su", { mode: 0o6755 }),
        file("cap", "cap", { pax: { "SCHILY.xattr.security.capability": CAPABILITY } }),
        character("null", 1, 3, { mode: 0o666 }),
        block("large", 259, 70_000, { mode: 0o660, gid: 6 }),
        fifo("pipe", { mode: 0o600 }),
        file("ünï–\u{1f40b}", "whale"),
        file("new\nline \\ \t", "odd"),
        dir(latin1("raw\xff")),
        file(latin1("raw\xff/\xfe"), "raw"),
        dir("attributes", { pax: { "SCHILY.xattr.user.k": "v" } }),
      ],
      [dir("later")],
      [file(latin1("raw\xff/\xfd"), "other")],
    ],
    tree: {
      su: f("su", { mode: 0o6755 }),
      cap: f("cap", { xattrs: { "security.capability": CAPABILITY } }),
      null: dev("character", 1, 3, { mode: 0o666 }),
      large: dev("block", 259, 70_000, { mode: 0o660, owner: "0:6" }),
      pipe: p({ mode: 0o600 }),
      "ünï–\u{1f40b}": f("whale"),
      "new\nline \\ \t": f("odd"),
      "raw\\xff": d(),
      "raw\\xff/\\xfe": f("raw"),
      "raw\\xff/\\xfd": f("other"),
      attributes: d({ xattrs: { "user.k": "v" } }),
      later: d(),
    },
  },
  {
    name: "times of directories are those that layers say, whatever later ones put there",
    layers: [
      [dir("./", { mtime: 11 }), dir("d", { mtime: 22 }), dir("d/e", { mtime: 33 }), dir("n")],
      [file("d/e/f", "f", { mtime: 44 }), file("d/g", "g"), symlink("n/l", "m", { mtime: 55 })],
      [whiteout("d/g"), dir("d/e", { mtime: 66 }), file("i/j", "j")],
      [],
    ],
    tree: {
      "": d({ mtime: "11" }),
      d: d({ mtime: "22" }),
      "d/e": d({ mtime: "66" }),
      "d/e/f": f("f", { mtime: "44" }),
      i: implied(),
      "i/j": f("j"),
      n: d(),
      "n/l": l("m", { mtime: "55" }),
    },
  },
  {
    name: "an image cannot say what only overlayfs may",
    layers: [
      [dir("d"), file("d/lower", "lower"), dir("e"), file("e/secret", "secret"), file("f", "f")],
      [
        dir("d", {
          pax: {
            "SCHILY.xattr.trusted.overlay.opaque": "y",
            "SCHILY.xattr.user.overlay.opaque": "y",
            "SCHILY.xattr.user.k": "v",
          },
        }),
        dir("r", { pax: { "SCHILY.xattr.trusted.overlay.redirect": "/e" } }),
        file("f", "upper", {
          pax: {
            "SCHILY.xattr.trusted.overlay.metacopy": "",
            "SCHILY.xattr.trusted.overlay.redirect": "/e/secret",
          },
        }),
        file("w", "", { pax: { "SCHILY.xattr.trusted.overlay.whiteout": "y" } }),
      ],
    ],
    tree: {
      d: d({ xattrs: { "user.k": "v" } }),
      "d/lower": f("lower"),
      e: d(),
      "e/secret": f("secret"),
      f: f("upper"),
      r: d(),
      w: f(""),
    },
  },
];

/** A base layer that does not describe the root gets the usual one: 0755, root's, of 1970. */
function caseTest({ name, layers, tree }: Case): ContractTest {
  const run = async (ground: Ground) => {
    const top = await ground.stack(...layers);
    await ground.see(top, (root) => assertTree(root, { "": implied(), ...tree }));
    const container = await ground.container("one", top);
    await assertTree(container.rootfs, { "": implied(), ...tree });
  };
  return { name, needs: "keepsLayers", run };
}

const LINKED = ["a", "b", "c", "d"];

/** Whether the names are still those of one file in the end is up to the driver. */
async function lowerLinks(ground: Ground): Promise<void> {
  const top = await ground.stack(
    [file("a", "a", { mode: 0o640, uid: 3 }), hardlink("b", "a"), dir("moved")],
    [hardlink("c", "b")],
    [hardlink("d", "a"), whiteout("b"), hardlink("moved/b", "c")],
  );
  const names = LINKED.filter((name) => name !== "b").concat("moved/b");
  await ground.see(top, async (root) => {
    for (const name of names) assertEquals(await Deno.readTextFile(`${root}/${name}`), "a", name);
    const rows = await bash(root, "find . -type f -printf '%P %m %n %i\\n' | sort");
    const found = rows.trim().split("\n").map((row) => row.split(" "));
    assertEquals(found.map(([name]) => name), [...names].sort());
    assertEquals(new Set(found.map(([, mode]) => mode)), new Set(["640"]));
    if (!ground.options.keepsLowerHardlinks) return;
    assertEquals(new Set(found.map(([, , count]) => count)), new Set(["4"]));
    assertEquals(new Set(found.map(([, , , inode]) => inode)).size, 1);
  });
}

/** As exact as the driver's filesystem can be, and equal to a plain directory as far as that goes. */
async function fineTimes(ground: Ground): Promise<void> {
  const time = (mtime: string) => ({ pax: { mtime } });
  const layers = [
    [
      dir("./", time("1700000000.123456789")),
      dir("d", time("1700000001.000000001")),
      file("d/f", "f", time("-1.5")),
      symlink("d/l", "f", time("3.999999999")),
      dir("e", time("1700000002.25")),
    ],
    [file("d/g", "g", time("0.000001"))],
    [dir("e", time("7.5")), whiteout("d/g")],
  ];
  const flat = new Flat(ground);
  for (const members of layers) await flat.apply(members);
  const top = await ground.stack(...layers);
  const digits = await ground.precision();
  const links = ground.options.keepsLowerHardlinks;
  const found = await ground.see(
    top,
    (root) => treeDifferences(root, flat.root, { digits, links }),
  );
  assertEquals(found, []);
  const container = await ground.container("one", top);
  assertEquals(await treeDifferences(container.rootfs, flat.root, { digits, links }), []);
}

/** Tests of content. */
export const CONTENT_TESTS: readonly ContractTest[] = [
  ...CASES.map(caseTest),
  { name: "moved and linked files of lower layers", needs: "keepsLayers", run: lowerLinks },
  { name: "times finer than a second", needs: "keepsLayers", run: fineTimes },
];
