/** Hard links and symbolic links: out of the root, to what is not there, and what they share. */

import { dir, fifo, file, hardlink, latin1, symlink, whiteout } from "../fixtures/tar.ts";
import { d, f, implied, l, p } from "../fixtures/tree.ts";
import { layersBecome, rejectsLayer, UP } from "./harness.ts";

/** Attributes that send an entry through the tar child. */
const viaTar = { pax: { "SCHILY.xattr.user.x": "1", mtime: "1000000000.123456789" } };
const viaTarNode = { xattrs: { "user.x": "1" }, mtime: "1000000000.123456789" };

for (
  const [name, target] of [
    ["up", "../secret"],
    ["up after a directory", "etc/../../secret"],
    ["absolute and up", "/../secret"],
    ["only up", ".."],
  ] as const
) {
  rejectsLayer(`hard link climbs: ${name}`, [hardlink("h", target)], ["h", target]);
}
rejectsLayer("hard link climbs to the canary", (w) => [
  hardlink("h", UP + w.canary.slice(1) + "/secret"),
], ["h"]);
rejectsLayer("hard link climbs in a pax record", [
  hardlink("h", "etc/motd", { pax: { linkpath: "../../secret" } }),
], ["h", "../../secret"]);
rejectsLayer("hard link to an absolute path of the host", (w) => [
  hardlink("h", `${w.canary}/secret`),
], ["h"]);
rejectsLayer("hard link through a symlink out of the root", (w) => [
  symlink("s", w.canary),
  hardlink("h", "s/secret"),
], ["h", "s/secret"]);
rejectsLayer("hard link through a chain of symlinks", (w) => [
  symlink("a", "b"),
  symlink("b", `${w.canary}/sub/..`),
  hardlink("h", "a/secret"),
], ["h", "a/secret"]);
rejectsLayer("hard link through a relative symlink up and out", (w) => [
  symlink("s", UP + w.canary.slice(1)),
  hardlink("h", "s/secret"),
], ["h", "s/secret"]);
rejectsLayer("hard link to what is missing", [hardlink("h", "no/such")], ["h", "no/such"]);
rejectsLayer("hard link to what comes later", [hardlink("h", "a"), file("a")], ["h"]);
rejectsLayer("hard link to nothing", [hardlink("h", "")], ["h"]);
rejectsLayer("hard link to the root", [hardlink("h", "./")], ["h"]);
rejectsLayer("hard link to a directory", [hardlink("h", "etc")], ["h", "etc"]);
rejectsLayer("hard link to a directory of its layer", [dir("x"), hardlink("h", "x")], ["h", "x"]);
rejectsLayer("hard link through a file", [hardlink("h", "etc/motd/x")], ['"h"', "etc/motd"]);
rejectsLayer("hard link through a loop of symlinks", [
  symlink("s", "t"),
  symlink("t", "s"),
  hardlink("h", "s/x"),
], ['"h"']);
rejectsLayer("hard link to what this layer hides", [
  whiteout("etc/motd"),
  hardlink("h", "etc/motd"),
], ["h", "etc/motd"]);
rejectsLayer("hard link whose name is the root", [hardlink("./", "etc/motd")], ["root"]);
rejectsLayer("hard link with NUL in its target", [
  hardlink("h", "", { pax: { linkpath: "etc/motd\0x" } }),
], ["h", "NUL"]);
rejectsLayer("symlink to nothing", [symlink("s", "")], ["s"]);
rejectsLayer("symlink with NUL in its target", [
  symlink("s", "", { pax: { linkpath: "a\0b" } }),
], ["s", "NUL"]);
rejectsLayer("symlink target of 4096 bytes", [symlink("s", "t".repeat(4096))], ["s"]);

layersBecome("hard links within a layer", [[
  file("a", "x", { mode: 0o600, uid: 1, gid: 2 }),
  hardlink("b", "a", { mode: 0o600, uid: 1, gid: 2 }),
  hardlink("dir/c", "./b", { mode: 0o600, uid: 1, gid: 2 }),
]], {
  dir: implied(),
  ...Object.fromEntries(
    ["a", "b", "dir/c"].map((name) => [
      name,
      f("x", { mode: 0o600, owner: "1:2", links: ["a", "b", "dir/c"] }),
    ]),
  ),
});

layersBecome("a hard link to a file of a lower layer", [
  [file("a", "x")],
  [hardlink("b", "a")],
], { a: f("x", { links: ["a", "b"] }), b: f("x", { links: ["a", "b"] }) });

layersBecome(
  "a hard link to a file written by tar",
  [[
    file("a", "x", viaTar),
    hardlink("b", "a", viaTar),
    hardlink("c", "b", viaTar),
  ]],
  Object.fromEntries(
    ["a", "b", "c"].map((name) => [name, f("x", { ...viaTarNode, links: ["a", "b", "c"] })]),
  ),
);

layersBecome("hard link targets are relative to the root, absolute ones too", [[
  file("etc/a", "x"),
  hardlink("b", "/etc/a"),
  hardlink("etc/c", "etc/../etc//./a"),
]], {
  etc: implied(),
  ...Object.fromEntries(
    ["b", "etc/a", "etc/c"].map((name) => [name, f("x", { links: ["b", "etc/a", "etc/c"] })]),
  ),
});

layersBecome("a hard link through a symlink inside the root", [[
  dir("real"),
  file("real/a", "x"),
  symlink("s", "/real"),
  hardlink("b", "s/a"),
  hardlink("s/c", "real/a"),
]], {
  real: d(),
  s: l("/real"),
  ...Object.fromEntries(
    ["b", "real/a", "real/c"].map((name) => [name, f("x", { links: ["b", "real/a", "real/c"] })]),
  ),
});

layersBecome("a hard link to a symlink is that symlink, whatever its own header says", (w) => [[
  symlink("s", `${w.canary}/secret`),
  hardlink("h", "s", { mode: 0o777, uid: 77, gid: 77, mtime: 7 }),
  symlink("dangling", "no/where"),
  hardlink("i", "dangling"),
]], (w) => {
  const out = { links: ["h", "s"] };
  const lost = { links: ["dangling", "i"] };
  return {
    s: l(`${w.canary}/secret`, out),
    h: l(`${w.canary}/secret`, out),
    dangling: l("no/where", lost),
    i: l("no/where", lost),
  };
});

layersBecome("a file over a hard link to a symlink", (w) => [
  [symlink("s", `${w.canary}/secret`), hardlink("h", "s")],
  [file("h", "mine", { mode: 0o666 })],
], (w) => ({ s: l(`${w.canary}/secret`), h: f("mine", { mode: 0o666 }) }));

layersBecome("a hard link to a FIFO", [[fifo("p"), hardlink("q", "p")]], {
  p: p({ links: ["p", "q"] }),
  q: p({ links: ["p", "q"] }),
});

layersBecome("a file over one name leaves the other as it was", [
  [file("a", "old"), hardlink("b", "a"), file("c", "old", viaTar), hardlink("d", "c", viaTar)],
  [file("a", "new", { mode: 0o600 }), file("d", "new", viaTar)],
], {
  a: f("new", { mode: 0o600 }),
  b: f("old"),
  c: f("old", viaTarNode),
  d: f("new", viaTarNode),
});

layersBecome("a file over one name within a layer leaves the other as it was", [
  [file("a", "old"), hardlink("b", "a"), file("a", "new")],
], { a: f("new"), b: f("old") });

layersBecome("a whiteout of one name leaves the other", [
  [file("a", "x"), hardlink("b", "a")],
  [whiteout("a")],
], { b: f("x") });

layersBecome(
  "a hard link over a file, a symlink and a directory",
  (w) => [
    [file("x", "x"), file("a", "old"), symlink("s", w.canary), dir("d"), file("d/in")],
    [hardlink("a", "x"), hardlink("s", "x"), hardlink("d", "x")],
  ],
  Object.fromEntries(
    ["a", "d", "s", "x"].map((name) => [name, f("x", { links: ["a", "d", "s", "x"] })]),
  ),
);

layersBecome("a file over a hard link of the same layer's lower name", [
  [file("a", "1")],
  [hardlink("b", "a"), file("a", "2"), hardlink("c", "a")],
], {
  a: f("2", { links: ["a", "c"] }),
  b: f("1"),
  c: f("2", { links: ["a", "c"] }),
});

const TARGETS = [
  "/etc/passwd",
  "../../../../../../etc/passwd",
  "//double//",
  "./.",
  "a b",
  "new\nline",
  "\u00e9\u{1f600}",
  "t".repeat(101),
  "\u{10fffe}" + "0".repeat(64),
  "-rf",
];
layersBecome("symlink targets are kept as they are", [
  TARGETS.map((target, i) => symlink(`s${i}`, target)),
], Object.fromEntries(TARGETS.map((target, i) => [`s${i}`, l(target)])));

layersBecome("symlink targets are kept as they are by tar", [
  TARGETS.map((target, i) => symlink(`s${i}`, target, { pax: { mtime: "-0.5" } })),
], Object.fromEntries(TARGETS.map((target, i) => [`s${i}`, l(target, { mtime: "-1.5" })])));

layersBecome("a symlink target of 4095 bytes", [[symlink("s", "t".repeat(4095))]], {
  s: l("t".repeat(4095)),
});

layersBecome("a parent whose symlink target is not UTF-8", [[
  dir(latin1("r\xe9al")),
  symlink("s", latin1("r\xe9al")),
  file("s/x", "x"),
]], { "r\\xe9al": d(), s: l("r\\xe9al"), "r\\xe9al/x": f("x") });

layersBecome("attributes of a symlink go to the link", (w) => [[
  symlink("s", `${w.canary}/secret`, { mode: 0o4777, uid: 11, gid: 12, mtime: 13 }),
  symlink("t", w.canary, { uid: 11, gid: 12, pax: { mtime: "14.5" } }),
]], (w) => ({
  s: l(`${w.canary}/secret`, { owner: "11:12", mtime: "13" }),
  t: l(w.canary, { owner: "11:12", mtime: "14.5" }),
}));

layersBecome("a directory's late attributes do not follow a symlink put in its place", (w) => [[
  dir("d", { mode: 0o777, uid: 66, gid: 66, mtime: 66 }),
  symlink("d", w.canary),
  dir("e", { mode: 0o777, uid: 66, gid: 66, pax: viaTar.pax }),
  symlink("e", w.canary),
  dir("f/g", { mode: 0o777, uid: 66, gid: 66 }),
  symlink("f", w.canary + "/.."),
]], (w) => ({ d: l(w.canary), e: l(w.canary), f: l(w.canary + "/..") }));

layersBecome("a lower directory's attributes do not follow a symlink put in its place", (w) => [
  [dir("d"), file("d/x"), dir("sub"), dir("sub/in")],
  [file("d/y"), symlink("d", w.canary), file("sub/in/y"), symlink("sub", w.canary)],
], (w) => ({ d: l(w.canary), sub: l(w.canary) }));

layersBecome("a file that waits for tar does not follow a symlink put above it", (w) => [[
  dir("d"),
  file("d/secret", "mine", viaTar),
  symlink("d", w.canary),
  dir("e"),
  file("e/secret", "mine", viaTar),
  symlink("e", "f"),
  dir("f"),
]], (w) => ({ d: l(w.canary), e: l("f"), f: d() }));

layersBecome(
  "a symlink that waits for tar, and a directory over it",
  (w) => [[
    symlink("s", w.canary, { pax: { mtime: "5.000000001" } }),
    dir("s", { mode: 0o700 }),
    file("s/secret", "mine"),
  ]],
  { s: d({ mode: 0o700 }), "s/secret": f("mine") },
  [],
);
rejectsLayer("a hard link in the place of the directory that its target is in", [
  dir("a"),
  file("a/b", "x"),
  hardlink("a", "a/b"),
], ['"a"', "below"]);

layersBecome(
  "a file over a directory that only a symlink's target went through",
  [[symlink("s", "t/u/../v"), file("s/f", "1"), file("t/u", "2", { mode: 0o600 })]],
  {
    s: l("t/u/../v"),
    t: d({ mtime: "0" }),
    "t/u": f("2", { mode: 0o600 }),
    "t/v": d({ mtime: "0" }),
    "t/v/f": f("1"),
  },
);
