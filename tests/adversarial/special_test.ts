/** Entries that only tar can write, mixed with those that need no tar, in every awkward order. */

import { dir, fifo, file, hardlink, latin1, opaque, symlink, whiteout } from "../fixtures/tar.ts";
import { d, f, implied, l, p } from "../fixtures/tree.ts";
import { layersBecome, rejectsLayer } from "./harness.ts";

/** Attributes that send an entry through the tar child, and what is found of them. */
const viaTar = { pax: { "SCHILY.xattr.user.x": "1", mtime: "1000000000.123456789" } };
const viaTarNode = { xattrs: { "user.x": "1" }, mtime: "1000000000.123456789" };
/** The same for what can have no user xattr. */
const exactTime = { pax: { mtime: "1000000000.123456789" } };
const exactTimeNode = { mtime: "1000000000.123456789" };

layersBecome("duplicates through tar and not", [[
  file("a", "1", viaTar),
  file("a", "2"),
  file("b", "1"),
  file("b", "2", viaTar),
  file("c", "1", viaTar),
  file("c", "2", viaTar),
  dir("d", viaTar),
  file("d/x", "x", viaTar),
  file("d", "2"),
  file("e", "1", viaTar),
  dir("e", viaTar),
  file("e/x", "x"),
  fifo("f"),
  fifo("f", { mode: 0o600 }),
  symlink("g", "1", exactTime),
  symlink("g", "2", exactTime),
  fifo("h"),
  symlink("h", "x"),
  symlink("i", "x", exactTime),
  fifo("i"),
]], {
  a: f("2"),
  b: f("2", viaTarNode),
  c: f("2", viaTarNode),
  d: f("2"),
  e: d(viaTarNode),
  "e/x": f("x"),
  f: p({ mode: 0o600 }),
  g: l("2", exactTimeNode),
  h: l("x"),
  i: p(),
});

layersBecome("what waits for tar is linked and replaced", [[
  file("a", "x", viaTar),
  hardlink("b", "a", viaTar),
  file("a", "y"),
  fifo("p"),
  hardlink("q", "p"),
  file("p", "z", viaTar),
  symlink("s", "t", exactTime),
  hardlink("r", "s"),
]], {
  a: f("y"),
  b: f("x", viaTarNode),
  p: f("z", viaTarNode),
  q: p(),
  s: l("t", { ...exactTimeNode, links: ["r", "s"] }),
  r: l("t", { ...exactTimeNode, links: ["r", "s"] }),
});

layersBecome("whiteouts beside what waits for tar", [
  [dir("d", viaTar), file("d/old", "old", viaTar), file("d/gone", "gone", viaTar)],
  [
    file("d/new", "new", viaTar),
    fifo("d/pipe"),
    whiteout("d/gone"),
    whiteout("d/new"),
    whiteout("d/pipe"),
  ],
  [symlink("d/link", "x", exactTime), opaque("d"), file("d/last", "last", viaTar)],
], {
  d: d(viaTarNode),
  "d/link": l("x", exactTimeNode),
  "d/last": f("last", viaTarNode),
});

layersBecome("a directory in the place of what waits for tar, and back", [[
  file("a", "1", viaTar),
  dir("a", { mode: 0o700 }),
  file("a/in", "2", viaTar),
  dir("b", viaTar),
  file("b/in", "3", viaTar),
  symlink("b", "a", exactTime),
  file("b/through", "4", viaTar),
]], {
  a: d({ mode: 0o700 }),
  "a/in": f("2", viaTarNode),
  "a/through": f("4", viaTarNode),
  b: l("a", exactTimeNode),
});

layersBecome("a parent that waits for tar: a chain of symlinks", (w) => [[
  symlink("a", "b", exactTime),
  symlink("b", "/c", exactTime),
  symlink("c", w.canary, exactTime),
  symlink("d", "real/./", exactTime),
  dir("real", viaTar),
  file("d/x", "x", viaTar),
  hardlink("h", "d/x"),
  whiteout("a/secret"),
]], (w) => ({
  a: l("b", exactTimeNode),
  b: l("/c", exactTimeNode),
  c: l(w.canary, exactTimeNode),
  d: l("real/./", exactTimeNode),
  real: d(viaTarNode),
  "real/x": f("x", { ...viaTarNode, links: ["h", "real/x"] }),
  h: f("x", { ...viaTarNode, links: ["h", "real/x"] }),
}));

rejectsLayer("an entry below a file that waits for tar", [
  file("a", "x", viaTar),
  file("a/b", "y"),
], ["a/b"]);
rejectsLayer("a hard link to a directory that waits for tar", [
  dir("a", viaTar),
  hardlink("b", "a"),
], ['"b"']);

layersBecome("what waits for tar is large and many", [
  Array.from({ length: 300 }, (_, i) => file(`f${i}`, `${i}`.repeat(1000), viaTar)),
  [file("big", new Uint8Array(3_000_001).fill(7), viaTar)],
], {
  big: f(new Uint8Array(3_000_001).fill(7), viaTarNode),
  ...Object.fromEntries(
    Array.from({ length: 300 }, (_, i) => [`f${i}`, f(`${i}`.repeat(1000), viaTarNode)]),
  ),
});

const BYTES = latin1("d\xe9");
const under = (name: string) => latin1(`d\xe9/${name}`);
layersBecome("names that are not UTF-8, every kind of entry", [
  [
    dir(BYTES, { mode: 0o750, mtime: 5 }),
    file(under("\xff"), "1", { uid: 3 }),
    file(under("tar\xff"), "2", viaTar),
    hardlink(under("link\xff"), under("\xff"), { uid: 3 }),
    hardlink("link", under("tar\xff"), viaTar),
    symlink(under("sym\xff"), "x"),
    symlink("s", BYTES),
    symlink("t", latin1("/d\xe9"), exactTime),
    fifo(under("p\xff")),
    dir(under("sub\xff"), viaTar),
  ],
  [file("s/through", "3"), file("t/through too", "4", viaTar), file(under("sub\xff/x"))],
], {
  "d\\xe9": d({ mode: 0o750, mtime: "5" }),
  "d\\xe9/\\xff": f("1", { owner: "3:0", links: ["d\\xe9/\\xff", "d\\xe9/link\\xff"] }),
  "d\\xe9/link\\xff": f("1", { owner: "3:0", links: ["d\\xe9/\\xff", "d\\xe9/link\\xff"] }),
  "d\\xe9/tar\\xff": f("2", { ...viaTarNode, links: ["d\\xe9/tar\\xff", "link"] }),
  link: f("2", { ...viaTarNode, links: ["d\\xe9/tar\\xff", "link"] }),
  "d\\xe9/sym\\xff": l("x"),
  "d\\xe9/p\\xff": p(),
  "d\\xe9/sub\\xff": d(viaTarNode),
  "d\\xe9/sub\\xff/x": f(),
  "d\\xe9/through": f("3"),
  "d\\xe9/through too": f("4", viaTarNode),
  s: l("d\\xe9"),
  t: l("/d\\xe9", exactTimeNode),
});
layersBecome("names that are not UTF-8 are hidden and replaced", [
  [
    file(latin1("a\xff"), "1"),
    file(latin1("b\xff"), "1", viaTar),
    dir(latin1("c\xff")),
    file(latin1("c\xff/in"), "1"),
    dir(latin1("e\xff")),
    file(latin1("e\xff/in\xff"), "1"),
    file(latin1("f\xff"), "1"),
    symlink(latin1("g\xff"), "x"),
  ],
  [
    file(latin1(".wh.a\xff")),
    file(latin1(".wh.b\xff")),
    file(latin1(".wh.c\xff")),
    file(latin1("e\xff/.wh..wh..opq")),
    file(latin1("e\xff/new\xff"), "2"),
    dir(latin1("f\xff")),
    file(latin1("g\xff"), "2"),
  ],
], {
  "e\\xff": d(),
  "e\\xff/new\\xff": f("2"),
  "f\\xff": d(),
  "g\\xff": f("2"),
});
rejectsLayer("a hard link to a name that is not UTF-8 and not there", [
  hardlink("h", latin1("no\xff")),
], ['"h"']);
rejectsLayer("an entry below a file whose name is not UTF-8", [
  file(latin1("a\xff")),
  file(latin1("a\xff/b")),
], []);
layersBecome("a name that looks like the stand-in of another", [[
  file("\u{10fffe}" + "ab".repeat(32), "1"),
  file(latin1("\xff"), "2"),
  dir("\u{10fffe}dir"),
  file("\u{10fffe}dir/x", "3", viaTar),
]], {
  ["\u{10fffe}" + "ab".repeat(32)]: f("1"),
  "\\xff": f("2"),
  "\u{10fffe}dir": d(),
  "\u{10fffe}dir/x": f("3", viaTarNode),
});
layersBecome("missing parents of what only tar can write", [[
  file("a/b/c", "x", viaTar),
  fifo("a/d/p"),
  file(latin1("\xff/\xfe/x"), "y", viaTar),
]], {
  a: implied(),
  "a/b": implied(),
  "a/b/c": f("x", viaTarNode),
  "a/d": implied(),
  "a/d/p": p(),
  "\\xff": implied(),
  "\\xff/\\xfe": implied(),
  "\\xff/\\xfe/x": f("y", viaTarNode),
});
layersBecome("a symlink to a name that is not UTF-8, replaced by another", [[
  dir(latin1("d\xff")),
  dir("other"),
  symlink("l", latin1("d\xff")),
  symlink("l", "other"),
  file("l/x", "1"),
]], { "d\\xff": d(), other: d(), "other/x": f("1"), l: l("other") });
layersBecome("a symlink to a name that is not UTF-8, hidden with its directory", [
  [dir(latin1("e\xff")), dir("d"), symlink("d/l", latin1("../e\xff")), dir("other")],
  [file(".wh.d"), dir("d"), symlink("d/l", "../other"), file("d/l/x", "1")],
], { "e\\xff": d(), d: d(), "d/l": l("../other"), other: d(), "other/x": f("1") });
