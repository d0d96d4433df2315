/**
 * Layers applied one job each, on top of what is there, or apart from those below them: the same tree
 * as by one job for all.
 */

import { assert, assertEquals } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { applyLayers } from "../../src/layer/apply_layers.ts";
import type { ToldTree } from "../../src/layer/lower_tree.ts";
import { NO_TRAITS, type Traits } from "../../src/layer/traits.ts";
import {
  dir,
  file,
  hardlink,
  latin1,
  opaque,
  symlink,
  tarball,
  whiteout,
} from "../fixtures/tar.ts";
import { describe, IS_ROOT, output, type Tree } from "../fixtures/tree.ts";
import { applyApart, applyEach, applyJob, randomStack, type Stack } from "./stacks.ts";
import { assertExact } from "./told.ts";

/** What a job made of a stack: a tree, or an error's code. */
interface Outcome {
  error?: string;
  tree?: Tree;
  /** Directories that an ordinary user cannot look into, and their modes. */
  closed?: string;
  traits?: Traits;
}

/** Gives `use` a directory that is removed afterwards, whatever modes there are in it. */
async function withTop<T>(use: (top: string) => Promise<T>): Promise<T> {
  const top = await Deno.makeTempDir({ prefix: "layerfs-on-top-" });
  try {
    return await use(top);
  } finally {
    await open(top);
    await Deno.remove(top, { recursive: true });
  }
}

/** Lets the owner into every directory; the modes that they had. */
async function open(root: string): Promise<string> {
  const print = ["-printf", "%m %P\\n", "-exec", "chmod", "u+rwx", "{}", ";"];
  const text = await output("find", [root, "-type", "d", "!", "-perm", "-700", ...print]);
  return new TextDecoder().decode(text).split("\n").sort().join("\n");
}

/** Applies a stack to a new directory and describes what came out. */
function outcome(apply: (top: string, root: string) => Traits): Promise<Outcome> {
  return withTop(async (top) => {
    const root = `${top}/root`;
    await Deno.mkdir(root);
    try {
      const traits = apply(top, root);
      const closed = IS_ROOT ? "" : await open(root);
      return { tree: await describe(root), closed, traits };
    } catch (error) {
      if (error instanceof LayerfsError) return { error: error.code };
      throw error;
    }
  });
}

const inOneJob = (layers: Stack, asRoot?: boolean) =>
  outcome((top, root) => applyJob(top, root, layers, asRoot));
const oneByOne = (layers: Stack, asRoot?: boolean) =>
  outcome((top, root) => applyEach(top, root, layers, () => null, asRoot));
const following = (layers: Stack, asRoot?: boolean) =>
  outcome((top, root) => {
    const tell = (told: ToldTree | null) => {
      if (told !== null) assertExact(told, root);
      return told;
    };
    return applyEach(top, root, layers, tell, asRoot);
  });
const inParts = (layers: Stack, onApart: (index: number) => void, asRoot?: boolean) =>
  outcome((top, root) => applyApart(top, root, layers, onApart, asRoot));

/** Traits by looking at the tree. */
function traitsOf(tree: Tree): Traits {
  const directories = Object.values(tree).filter(({ type }) => type === "directory");
  const isRaw = (text: string) => text.includes("\\x") || text.includes("\u{10fffe}");
  return {
    rawNames: Object.entries(tree).some(([path, { target }]) => isRaw(path) || isRaw(target ?? "")),
    fineTimes: directories.some(({ mtime }) => /\.\d{4}/.test(mtime)),
    // An ordinary user's owner is an xattr, which the description shows as an owner.
    directoryXattrs: directories.some(({ xattrs, owner }) =>
      xattrs !== undefined || (!IS_ROOT && owner !== "0:0")
    ),
  };
}

/** Asserts that a stack gives the same in all ways; returns what, and the layers that went apart. */
async function assertSame(layers: Stack, asRoot?: boolean): Promise<Outcome & { apart: number }> {
  const expected = await inOneJob(layers, asRoot);
  let apart = 0;
  assertEquals(await inParts(layers, () => apart++, asRoot), expected, "in parts");
  const each = await oneByOne(layers, asRoot);
  assertEquals(await following(layers, asRoot), each, "one following another");
  const { traits, ...actual } = each;
  const { traits: wanted, ...rest } = expected;
  assertEquals(actual, rest);
  for (const trait of Object.keys(NO_TRAITS) as (keyof Traits)[]) {
    assert(traits?.[trait] || !wanted?.[trait], `${trait} is missing`);
  }
  return { ...expected, apart };
}

const STACKS = 200;
const STACKS_A_TEST = 25;

for (let first = 1; first <= STACKS; first += STACKS_A_TEST) {
  const last = first + STACKS_A_TEST - 1;
  Deno.test(`random stacks ${first} to ${last} are the same layer by layer, told or not, and in parts`, async () => {
    let valid = 0;
    let parts = 0;
    for (let seed = first; seed <= last; seed++) {
      try {
        const { tree, traits, apart } = await assertSame(randomStack(seed));
        parts += apart;
        if (tree === undefined) continue;
        assertEquals(traits, traitsOf(tree));
        valid++;
      } catch (error) {
        throw new Error(`stack of seed ${seed}`, { cause: error });
      }
    }
    assert(valid > STACKS_A_TEST / 3, `only ${valid} stacks are valid`);
    assert(parts > STACKS_A_TEST / 3, `only ${parts} layers were unpacked apart`);
  });
}

/** Registers a test: the stack is applied both ways, and `look` sees the result. */
function named(name: string, layers: Stack, look: (tree: Tree, traits: Traits) => void): void {
  Deno.test(name, async () => {
    const { tree, traits } = await assertSame(layers);
    assert(tree !== undefined && traits !== undefined);
    look(tree, traits);
  });
}

const FINE = { pax: { mtime: "7.123456789" } };
const xattr = (names: Record<string, string>, uid = 0) => ({
  uid,
  pax: Object.fromEntries(Object.entries(names).map(([key, v]) => [`SCHILY.xattr.user.${key}`, v])),
});

named(
  "a directory keeps its time to the nanosecond when its children change",
  [
    [dir("./", FINE), dir("d", { pax: { ...FINE.pax, "SCHILY.xattr.user.k": "v" } }), file("d/a")],
    [file("d/b"), whiteout("d/a"), file("top")],
  ],
  (tree, traits) => {
    assertEquals([tree[""]?.mtime, tree.d?.mtime], ["7.123456789", "7.123456789"]);
    assertEquals(tree.d?.xattrs, { "user.k": "0x76" });
    assertEquals(traits, { rawNames: false, fineTimes: true, directoryXattrs: true });
  },
);

named(
  "an entry of a directory takes away the xattrs that it does not have, of the root too",
  [
    [
      dir("./", xattr({ root: "1" })),
      dir("d", xattr({ a: "1", b: "1" })),
      dir("kept", xattr({ a: "1" })),
    ],
    [dir("./"), dir("d", xattr({ b: "2", c: "2" })), file("d/f"), file("kept/f")],
  ],
  (tree) => {
    assertEquals(tree[""]?.xattrs, undefined);
    assertEquals(tree.d?.xattrs, { "user.b": "0x32", "user.c": "0x32" });
    assertEquals(tree.kept?.xattrs, { "user.a": "0x31" });
  },
);

named(
  "a directory that is hidden and made again, or only implied again, has no old xattrs",
  [
    [dir("again", xattr({ a: "1" })), file("again/f"), dir("implied", xattr({ a: "1" }))],
    [whiteout("again"), dir("again"), file("implied/f"), whiteout("implied")],
  ],
  (tree) => {
    assertEquals(Object.keys(tree), ["", "again", "implied", "implied/f"]);
    assertEquals([tree.again?.xattrs, tree.implied?.xattrs], [undefined, undefined]);
  },
);

named(
  "a whiteout in a directory that took a symlink's place hides nothing behind the symlink",
  [
    [dir("usr/lib"), symlink("lib", "usr/lib"), file("usr/lib/old", "1")],
    [dir("lib"), whiteout("lib/old"), file("lib/new", "2")],
  ],
  (tree) => assertEquals([tree["usr/lib/old"]?.content, tree["lib/new"]?.content], ["1", "2"]),
);

Deno.test("the record of an owner goes when the directory becomes root's", async () => {
  const owned = dir("d", { uid: 5, gid: 6 });
  const kept = dir("kept", { uid: 5, gid: 6 });
  const { tree } = await assertSame([[owned, kept], [dir("d"), file("kept/f")]], false);
  assertEquals([tree?.d?.xattrs, tree?.d?.owner], [undefined, "0:0"]);
  const { xattrs, owner } = tree?.kept ?? {};
  if (IS_ROOT) assertEquals(xattrs, { "user.rootlesscontainers": "0x08051006" });
  else assertEquals(owner, "5:6");
});

named(
  "names that are not UTF-8 are met again, or left alone, by the layers above",
  [
    [
      dir(latin1("\xff"), { mtime: 3 }),
      dir(latin1("\xff/\xfe"), { mtime: 4 }),
      file(latin1("\xff/\xfe/\xfd"), "deep"),
      file(latin1("\xff/old"), "old"),
      symlink("link", latin1("\xff/\xfe")),
    ],
    [file("other")],
    [file("link/new", "new"), file(latin1("\xff/.wh.old"))],
  ],
  (tree, traits) => {
    assertEquals(Object.keys(tree).sort(), [
      "",
      "\\xff",
      "\\xff/\\xfe",
      "\\xff/\\xfe/\\xfd",
      "\\xff/\\xfe/new",
      "link",
      "other",
    ]);
    assertEquals([tree["\\xff"]?.mtime, tree["\\xff/\\xfe"]?.mtime], ["3", "4"]);
    assertEquals(traits, { rawNames: true, fineTimes: false, directoryXattrs: false });
  },
);

named(
  "a link target that is not UTF-8 is followed, where it is a hard link and leads nowhere too",
  [
    [symlink("a", latin1("\xff")), hardlink("b", "a"), symlink("mark", "\u{10fffe}")],
    [file("b/made"), file("mark/made")],
  ],
  (tree, traits) => {
    assertEquals(tree["\\xff/made"]?.type, "file");
    assertEquals(tree["\u{10fffe}/made"]?.type, "file");
    assertEquals(traits.rawNames, true);
  },
);

named(
  "layers that leave nothing but the root keep its attributes",
  [[dir("./", { mode: 0o711, mtime: 9 }), file("f")], [whiteout("f")], []],
  (tree) => assertEquals([tree[""]?.mode, tree[""]?.mtime], ["0711", "9"]),
);

named(
  "links, whiteouts and types replaced, over what only the disk knows",
  [
    [
      dir("usr/bin", { mode: 0o2755, gid: 8 }),
      file("usr/bin/su", "su", { mode: 0o4755, uid: 3 }),
      symlink("bin", "usr/bin"),
      file("dir-to-be"),
      file("to-link/be/gone"),
      file("hidden/lower"),
    ],
    [
      file("bin/sh", "sh"),
      hardlink("su", "bin/su"),
      dir("dir-to-be"),
      file("dir-to-be/f"),
      symlink("to-link", "usr"),
      file("to-link/seen"),
      file("hidden/upper"),
      opaque("hidden"),
      file("implied/a/b"),
    ],
    [whiteout("bin/su"), file("implied/a/c")],
  ],
  (tree) => {
    assertEquals(tree.su?.mode, "4755");
    assertEquals(tree.su?.links, undefined);
    assertEquals(tree["usr/bin"]?.mode, "2755");
    assertEquals(tree["usr/seen"]?.type, "file");
    assertEquals(tree["hidden/lower"], undefined);
    assertEquals(tree["implied/a"]?.mtime, "0");
  },
);

named(
  "directories closed to their owner are changed, hidden and left closed",
  [
    [dir("closed", { mode: 0 }), file("closed/f"), dir("gone", { mode: 0o555 }), file("gone/f")],
    [file("closed/g"), whiteout("gone")],
  ],
  (tree) => {
    assertEquals(Object.keys(tree), ["", "closed", "closed/f", "closed/g"]);
    if (IS_ROOT) assertEquals(tree.closed?.mode, "0000");
  },
);

Deno.test("a worker says what traits the tree has, those of the layers below included", () =>
  withTop(async (top) => {
    for (const directory of ["root", "scratch"]) await Deno.mkdir(`${top}/${directory}`);
    let traits = NO_TRAITS;
    const found: Traits[] = [];
    for (const layer of [[dir("d", FINE)], [file("d/f")], [file(latin1("d/\xff"))], []]) {
      const path = `${top}/layer.tar`;
      const tar = tarball(layer);
      await Deno.writeFile(path, tar);
      const location = { path, offset: 0, length: tar.length };
      const result = await applyLayers(
        {
          root: `${top}/root`,
          scratch: `${top}/scratch`,
          layers: [{ content: location, digest: null, size: null, diffId: null }],
          engine: "wasm",
          asRoot: IS_ROOT,
          traits,
        },
        new AbortController().signal,
        () => {},
      );
      traits = result.traits;
      found.push(traits);
    }
    const fine = { rawNames: false, fineTimes: true, directoryXattrs: false };
    assertEquals(found, [fine, fine, { ...fine, rawNames: true }, { ...fine, rawNames: true }]);
    const tree = await describe(`${top}/root`);
    assertEquals(Object.keys(tree).sort(), ["", "d", "d/\\xff", "d/f"]);
    assertEquals(tree.d?.mtime, "7.123456789");
  }));
