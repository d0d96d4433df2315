/** Whiteouts in every order, what they must not touch, and changes of type between layers. */

import { dir, fifo, file, hardlink, latin1, opaque, symlink, whiteout } from "../fixtures/tar.ts";
import { d, f, implied, l, p, type Tree } from "../fixtures/tree.ts";
import { type Layers, layersBecome, rejectsLayer, UP } from "./harness.ts";

for (const name of [".wh.", "etc/.wh.", "./.wh.", "no/such/.wh."]) {
  rejectsLayer(`bare whiteout ${name}`, [file(name)], [".wh."]);
}
for (const name of [".wh..", ".wh...", "etc/.wh..", "etc/.wh..."]) {
  rejectsLayer(`whiteout of a dot name, ${name}`, [file(name)], [name]);
}
rejectsLayer("entry below a whiteout", [file("etc/.wh.motd/x")], ["etc/.wh.motd/x"]);
rejectsLayer("whiteout below a whiteout", [file(".wh.etc/.wh.motd")], [".wh.etc/.wh.motd"]);

/** Registers the same case with the upper layer's members in order and reversed. */
function inAnyOrder(name: string, lower: Layers, upper: readonly Uint8Array[], tree: Tree): void {
  layersBecome(name, [...lower, upper], tree);
  layersBecome(`${name}, reversed`, [...lower, [...upper].reverse()], tree);
}

const LOWER = [
  dir("d", { mode: 0o700, mtime: 11 }),
  file("d/x", "x"),
  file("d/y", "y"),
  dir("d/sub", { mode: 0o750 }),
  file("d/sub/old", "old"),
  file("e", "e"),
];
const LOWER_D = d({ mode: 0o700, mtime: "11" });
const LOWER_TREE: Tree = {
  d: LOWER_D,
  "d/x": f("x"),
  "d/y": f("y"),
  "d/sub": d({ mode: 0o750 }),
  "d/sub/old": f("old"),
  e: f("e"),
};

/** {@linkcode LOWER_TREE} without what is named and what is below. */
function without(...paths: string[]): Tree {
  return Object.fromEntries(
    Object.entries(LOWER_TREE).filter(([path]) =>
      !paths.some((gone) => path === gone || path.startsWith(gone + "/"))
    ),
  );
}

layersBecome("a whiteout hides a file", [LOWER, [whiteout("d/x")]], without("d/x"));
layersBecome("a whiteout hides a directory", [LOWER, [whiteout("d")]], without("d"));
layersBecome("a whiteout hides a directory two layers down", [LOWER, [], [whiteout("d")]], {
  e: f("e"),
});
layersBecome("a whiteout hides nothing", [LOWER, [whiteout("no"), whiteout("d/no")]], LOWER_TREE);
layersBecome("a whiteout below a file hides nothing", [LOWER, [whiteout("e/no")]], LOWER_TREE);
layersBecome("whiteouts in the lowest layer", [[whiteout("a"), opaque(""), file("b")]], { b: f() });
layersBecome("a whiteout twice", [LOWER, [whiteout("e"), whiteout("e")]], without("e"));
layersBecome("what is hidden comes back in a later layer", [LOWER, [whiteout("d")], [
  file("d/z", "z"),
]], { d: implied(), "d/z": f("z"), e: f("e") });
layersBecome("what is hidden stays hidden through an empty layer", [LOWER, [whiteout("e")], []], {
  ...without("e"),
});
layersBecome("the name decides, whatever the type", (w) => [LOWER, [
  dir("d/.wh.x"),
  symlink(".wh.e", `${w.canary}/secret`),
  fifo("d/.wh.y"),
  hardlink("d/.wh.sub", "e"),
]], { d: LOWER_D });
layersBecome("a whiteout's content and attributes do not matter", [LOWER, [
  file(".wh.e", "content", { mode: 0o4777, uid: 9, pax: { "SCHILY.xattr.user.a": "b" } }),
]], without("e"));
layersBecome("an absolute whiteout", [LOWER, [file("/d/.wh.x"), file("./.wh.e")]], {
  ...without("e", "d/x"),
});

inAnyOrder("a whiteout and the file it stands beside", [LOWER], [
  whiteout("e"),
  file("e", "new"),
], { ...LOWER_TREE, e: f("new") });
inAnyOrder("a whiteout and a directory of the same name", [LOWER], [
  dir("d"),
  whiteout("d"),
], { d: d(), e: f("e") });
inAnyOrder("a whiteout and an entry below its name", [LOWER], [
  file("d/new", "new"),
  whiteout("d"),
], { d: implied(), "d/new": f("new"), e: f("e") });
inAnyOrder("a whiteout and a hard link of the same name", [LOWER], [
  hardlink("d/x", "e"),
  whiteout("d/x"),
], {
  ...LOWER_TREE,
  "d/x": f("e", { links: ["d/x", "e"] }),
  e: f("e", { links: ["d/x", "e"] }),
});
inAnyOrder("a whiteout keeps the times of the directory", [LOWER], [
  whiteout("d/x"),
  file("d/z"),
], { ...without("d/x"), "d/z": f() });
inAnyOrder("a whiteout, and its directory with attributes", [LOWER], [
  dir("d", { mode: 0o711, mtime: 99 }),
  whiteout("d/x"),
], { ...without("d/x"), d: d({ mode: 0o711, mtime: "99" }) });

inAnyOrder("an opaque whiteout and its siblings", [LOWER], [
  opaque("d"),
  dir("d", { mtime: 22 }),
  file("d/z", "z"),
  file("d/x", "new"),
], { d: d({ mtime: "22" }), "d/x": f("new"), "d/z": f("z"), e: f("e") });
inAnyOrder("an opaque whiteout and an implied directory", [LOWER], [
  opaque("d"),
  file("d/sub/new", "new"),
], { d: LOWER_D, "d/sub": implied(), "d/sub/new": f("new"), e: f("e") });
inAnyOrder("an opaque whiteout and a directory below that is given again", [LOWER], [
  opaque("d"),
  dir("d/sub", { mode: 0o711 }),
], { d: LOWER_D, "d/sub": d({ mode: 0o711 }), e: f("e") });
inAnyOrder("an opaque whiteout and a plain one", [LOWER], [
  opaque("d"),
  whiteout("d/x"),
  whiteout("d"),
  file("d/x", "new"),
], { d: implied(), "d/x": f("new"), e: f("e") });
inAnyOrder("an opaque root", [LOWER], [opaque(""), file("z", "z"), file("d/z", "z")], {
  d: implied(),
  "d/z": f("z"),
  z: f("z"),
});
inAnyOrder("an opaque whiteout twice", [LOWER], [opaque("d"), file("d/z"), opaque("d")], {
  d: LOWER_D,
  "d/z": f(),
  e: f("e"),
});
layersBecome("opaque for what is no directory", [LOWER, [opaque("e"), opaque("no")]], LOWER_TREE);
layersBecome("opaque does not reach the layers above", [LOWER, [opaque("d")], [file("d/z")]], {
  d: LOWER_D,
  "d/z": f(),
  e: f("e"),
});
inAnyOrder(
  "opaque hides names that are not UTF-8",
  [[
    dir("d"),
    file(latin1("d/\xe9"), "x"),
    dir(latin1("d/\xe8")),
    file(latin1("d/\xe8/in"), "x"),
  ]],
  [opaque("d"), file(latin1("d/\xff"), "y")],
  { d: d(), "d/\\xff": f("y") },
);
inAnyOrder(
  "opaque keeps a name that is not UTF-8 and is given again",
  [[
    dir("d"),
    file(latin1("d/\xe9"), "x"),
  ]],
  [opaque("d"), file(latin1("d/\xe9"), "y")],
  { d: d(), "d/\\xe9": f("y") },
);

layersBecome("reserved names are ignored", [LOWER, [
  file(".wh..wh.aufs"),
  dir(".wh..wh.plnk"),
  file(".wh..wh.plnk/1.2", "x"),
  dir("d/.wh..wh.orph"),
  file("d/.wh..wh.orph/x"),
]], LOWER_TREE);

layersBecome("a whiteout hides a symlink, not its target", (w) => [
  [
    dir("real"),
    file("real/x", "x"),
    symlink("s", "real"),
    symlink("t", w.canary),
    symlink("u", `${w.canary}/secret`),
  ],
  [whiteout("s"), whiteout("t"), whiteout("u")],
], { real: d(), "real/x": f("x") });
layersBecome("a whiteout through a symlink out of the root", (w) => [
  [symlink("s", w.canary), symlink("t", UP + w.canary.slice(1))],
  [whiteout("s/secret"), whiteout("t/sub"), opaque("s"), opaque("t"), opaque("t/sub")],
], (w) => ({ s: l(w.canary), t: l(UP + w.canary.slice(1)) }));
layersBecome("a whiteout through a symlink of its own layer", (w) => [
  [dir("d"), file("d/secret")],
  [symlink("d", w.canary), whiteout("d/secret"), opaque("d")],
], (w) => ({ d: l(w.canary) }));
layersBecome("whiteouts below what has become a symlink leave its target alone", [
  [dir("d"), file("d/x"), dir("real"), file("real/x", "x")],
  [symlink("d", "real"), whiteout("d/x"), opaque("d")],
], { d: l("real"), real: d(), "real/x": f("x") });
layersBecome("a whiteout through a symlink of a lower layer", [
  [dir("real"), file("real/x", "x"), file("real/y", "y"), symlink("s", "real")],
  [whiteout("s/x")],
], { real: d(), "real/y": f("y"), s: l("real") });
layersBecome("a whiteout of a lower symlink that an entry has gone through", [
  [dir("real"), symlink("s", "real")],
  [file("s/x", "x"), whiteout("s")],
], { real: d(), "real/x": f("x") });
layersBecome("an opaque root, and a lower symlink that an entry has gone through", [
  [dir("real"), symlink("s", "real")],
  [file("s/x", "x"), opaque("")],
], { real: implied(), "real/x": f("x") });
layersBecome("whiteouts below a symlink to a file, and below a FIFO", [
  [file("a", "a"), symlink("s", "a"), fifo("p")],
  [whiteout("s/x"), opaque("s"), whiteout("p/x"), opaque("p")],
], { a: f("a"), s: l("a"), p: p() });
layersBecome("opaque for a symlink leaves its target alone", [
  [dir("real"), file("real/x", "x"), symlink("s", "real")],
  [opaque("s")],
], { real: d(), "real/x": f("x"), s: l("real") });

layersBecome("a hidden hard link leaves the other names", [
  [file("a", "x"), hardlink("b", "a"), hardlink("c", "a")],
  [whiteout("b"), file("c", "y")],
], { a: f("x"), c: f("y") });

inAnyOrder("an opaque directory in place of a file", [LOWER], [
  opaque("e"),
  dir("e", { mode: 0o711 }),
], { ...LOWER_TREE, e: d({ mode: 0o711 }) });
inAnyOrder(
  "an opaque directory in place of a symlink",
  [[
    dir("real"),
    file("real/x", "x"),
    symlink("s", "real"),
  ]],
  [opaque("s"), dir("s")],
  { real: d(), "real/x": f("x"), s: d() },
);
