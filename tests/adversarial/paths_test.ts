/** Names of entries: out of the root, through symlinks, too long, not text. */

import { dir, fifo, file, gnuLong, latin1, symlink, whiteout } from "../fixtures/tar.ts";
import { d, f, implied, l, p, type Tree } from "../fixtures/tree.ts";
import { layersBecome, rejectsLayer, UP, type Workspace } from "./harness.ts";

for (
  const [name, path] of [
    ["parent", "../escape"],
    ["parent of a directory within", "a/../../escape"],
    ["parent after leading dots", "./../escape"],
    ["parent in an absolute name", "/../escape"],
    ["parent with doubled slashes", "a//..//..//escape"],
    ["only a parent", ".."],
    ["only a parent, with a slash", "../"],
    ["parent at the end", "a/../.."],
  ] as const
) {
  rejectsLayer(`name climbs: ${name}`, [file(path, "x")], [path]);
  rejectsLayer(`name climbs: ${name}, a directory`, [dir(path, { mode: 0o777 })], [path]);
}

rejectsLayer("name climbs to the canary", (w) => [
  file(`${UP}${w.canary.slice(1)}/secret`, "overwritten"),
], ["../"]);
rejectsLayer("name climbs in a pax record", [
  file("innocent", "x", { pax: { path: "../escape" } }),
], ["../escape"]);
rejectsLayer("name climbs in a GNU long name", [
  gnuLong("L", "../escape"),
  file("innocent", "x", { format: "gnu" }),
], ["../escape"]);
rejectsLayer("name climbs after a symlink", [
  symlink("a", "b/c"),
  file("a/../../escape", "x"),
], ["a/../../escape"]);
rejectsLayer("whiteout climbs", [file("../.wh.escape")], ["../.wh.escape"]);
rejectsLayer("opaque whiteout climbs", [file("../.wh..wh..opq")], ["../.wh..wh..opq"]);

for (
  const [name, path] of [
    ["an empty name", ""],
    ["a dot", "."],
    ["a slash", "/"],
    ["a dot and a slash", "./"],
    ["a path back to it", "a/.."],
  ] as const
) {
  rejectsLayer(`the root becomes a file: ${name}`, [file(path, "x")], []);
  rejectsLayer(`the root becomes a symlink: ${name}`, [symlink(path, "/")], []);
}
rejectsLayer("the root becomes a FIFO", [fifo("./")], ["root"]);

rejectsLayer("NUL in a pax path", [
  file("x", "", { pax: { path: "a\0b" } }),
], ["NUL"]);
rejectsLayer("a component of 256 bytes", [file("n".repeat(256))], ["n".repeat(100)]);
rejectsLayer("a component of 256 bytes as a parent", [file("n".repeat(256) + "/x")], [
  "n".repeat(100),
]);
rejectsLayer("a path of 4096 bytes", [file(("d".repeat(63) + "/").repeat(64) + "x")], ["ddd"]);
rejectsLayer("a path of 100,000 bytes", [file("d/".repeat(50_000) + "x")], ["d/d/d"]);

rejectsLayer("an entry below a file of its layer", [file("a", "x"), file("a/b", "y")], ["a/b"]);
rejectsLayer("an entry below a file of a lower layer", [file("etc/motd/b", "y")], ["etc/motd/b"]);
rejectsLayer("an entry below a FIFO", [fifo("p"), file("p/b", "y")], ["p/b"]);
rejectsLayer("an entry below a symlink to a file", [
  symlink("s", "etc/motd"),
  file("s/b", "y"),
], ["s/b"]);
rejectsLayer("an entry below a symlink to itself", [symlink("s", "s"), file("s/b", "y")], ["s/b"]);
rejectsLayer("an entry below a loop of symlinks", [
  symlink("s", "t"),
  symlink("t", "/s"),
  file("s/b", "y"),
], ["s/b"]);
rejectsLayer("an entry below a directory below a file", [file("etc/motd/a/b/c", "y")], [
  "etc/motd/a/b/c",
]);

layersBecome("absolute names are relative to the root", [[
  dir("/abs"),
  file("/abs/file", "x"),
  file("//twice//over", "y"),
]], { abs: d(), "abs/file": f("x"), twice: implied(), "twice/over": f("y") });

layersBecome("names are normalised", [[
  dir("./"),
  dir("./a/"),
  file("./a/./one", "1"),
  file("a//two", "2"),
  file("a/no/../three", "3"),
  dir("b//"),
]], {
  "": d(),
  a: d(),
  "a/one": f("1"),
  "a/two": f("2"),
  "a/three": f("3"),
  b: d(),
});

layersBecome("the root's own attributes", [
  [dir("./", { mode: 0o700, mtime: 5 }), file("x")],
  [file("y")],
], { "": d({ mode: 0o700, mtime: "5" }), x: f(), y: f() });

/** The tree that comes of `link -> canary` and a file written below the link. */
function scoped(w: Workspace, content: string): Tree {
  const tree: Tree = { s: l(w.canary) };
  const parts = w.canary.slice(1).split("/");
  parts.forEach((_, i) => tree[parts.slice(0, i + 1).join("/")] = implied());
  tree[`${w.canary.slice(1)}/secret`] = f(content);
  return tree;
}

layersBecome(
  "a parent that is an absolute symlink out, in one layer",
  (w) => [[symlink("s", w.canary), file("s/secret", "mine")]],
  (w) => scoped(w, "mine"),
);
layersBecome(
  "a parent that is an absolute symlink out, of a lower layer",
  (w) => [[symlink("s", w.canary)], [file("s/secret", "mine")]],
  (w) => scoped(w, "mine"),
);
layersBecome(
  "a parent that is a symlink with a time only tar can set",
  (w) => [[
    symlink("s", w.canary, { pax: { mtime: "1000000000.000000001" } }),
    file("s/secret", "mine"),
  ]],
  (w) => ({ ...scoped(w, "mine"), s: l(w.canary, { mtime: "1000000000.000000001" }) }),
);
layersBecome(
  "a parent that is a relative symlink up and out",
  (w) => [[symlink("a/s", UP + w.canary.slice(1)), file("a/s/secret", "mine")]],
  (w) => {
    const { s: _, ...rest } = scoped(w, "mine");
    return { ...rest, a: implied(), "a/s": l(UP + w.canary.slice(1)) };
  },
);
layersBecome(
  "a chain of symlinks that ends outside",
  (w) => [[symlink("s", w.canary), symlink("t", "./u/"), symlink("u", "/s")], [
    file("t/secret", "mine"),
  ]],
  (w) => ({ ...scoped(w, "mine"), t: l("./u/"), u: l("/s") }),
);
layersBecome(
  "a directory replaced by a symlink after it was entered",
  (w) => [[dir("s"), file("s/a", "gone"), symlink("s", w.canary), file("s/secret", "mine")]],
  (w) => scoped(w, "mine"),
);
layersBecome(
  "a lower directory replaced by a symlink after it was entered",
  (w) => [[dir("s"), file("s/a")], [file("s/b"), symlink("s", w.canary), file("s/secret", "mine")]],
  (w) => scoped(w, "mine"),
);
layersBecome(
  "a directory reached through a symlink that is then turned outwards",
  (w) => [[
    dir("real"),
    symlink("t", "real"),
    file("t/a"),
    symlink("t", w.canary),
    file("t/secret", "mine"),
  ]],
  (w) => {
    const { s: _, ...rest } = scoped(w, "mine");
    return { ...rest, t: l(w.canary), real: d(), "real/a": f() };
  },
);

layersBecome("a parent that is a symlink to a directory", [
  [dir("usr"), dir("usr/bin"), symlink("bin", "usr/bin")],
  [file("bin/tool", "x")],
], { usr: d(), "usr/bin": d(), bin: l("usr/bin"), "usr/bin/tool": f("x") });

layersBecome(
  "a parent that is a dangling symlink",
  [[symlink("s", "no/where"), file("s/x", "x")]],
  {
    s: l("no/where"),
    no: implied(),
    "no/where": implied(),
    "no/where/x": f("x"),
  },
);

const LONG = "n".repeat(250);
const DEEP = Array.from({ length: 15 }, () => LONG).join("/");
rejectsLayer("a path that becomes too long through a symlink", [
  symlink("s", DEEP),
  file(`s/${LONG}/${LONG}`),
], ["too long", `s/${LONG}`]);

layersBecome("symlinks to the root and to themselves' directory", [[
  symlink("root", "/"),
  symlink("up", "../../.."),
  symlink("here", "."),
  file("root/up/here/x", "x"),
]], { root: l("/"), up: l("../../.."), here: l("."), x: f("x") });

layersBecome(
  "a final component is never followed",
  (w) => [
    [symlink("s", `${w.canary}/secret`), symlink("t", w.canary), symlink("u", w.canary)],
    [file("s", "mine"), dir("t"), file("t/x"), fifo("u")],
  ],
  { s: f("mine"), t: d(), "t/x": f(), u: p() },
);
layersBecome(
  "a final component is never followed within a layer",
  (w) => [[
    symlink("s", `${w.canary}/secret`),
    file("s", "mine"),
    symlink("t", w.canary),
    dir("t", { mode: 0o700 }),
  ]],
  { s: f("mine"), t: d({ mode: 0o700 }) },
);

layersBecome("look-alike names are different names", (w) => [[
  symlink("stra\u00dfe", w.canary),
  dir("strasse"),
  file("strasse/secret", "1"),
  symlink("cafe\u0301", w.canary),
  dir("caf\u00e9"),
  file("caf\u00e9/secret", "2"),
  symlink("\u017ft", w.canary),
  dir("st"),
  file("st/secret", "3"),
  symlink("A", w.canary),
  dir("a"),
  file("a/secret", "4"),
]], (w) => ({
  "stra\u00dfe": l(w.canary),
  strasse: d(),
  "strasse/secret": f("1"),
  "cafe\u0301": l(w.canary),
  "caf\u00e9": d(),
  "caf\u00e9/secret": f("2"),
  "\u017ft": l(w.canary),
  st: d(),
  "st/secret": f("3"),
  A: l(w.canary),
  a: d(),
  "a/secret": f("4"),
}));

const ODD_NAMES = [
  "-rf",
  "--checkpoint-action=exec=touch pwned",
  "-C",
  "a b",
  " lead",
  "trail ",
  "new\nline",
  "tab\t",
  "back\\slash",
  "back\\x41",
  "quote\"'`",
  "$(touch pwned)",
  "*",
  "[x]?",
  "%s%n",
  "#file",
  "\u{1f600}",
  "\u202etxt",
  "\u{10fffe}" + "0".repeat(64),
  "\u{10fffe}",
  ".whatever",
  "x.wh.y",
  "...",
  "..a",
  "\ufeffbom",
  "con",
  "n".repeat(255),
  "\u00e9".repeat(127),
];
const odd: Tree = {};
for (const name of ODD_NAMES) odd[name] = f(name);
layersBecome("odd names", [ODD_NAMES.map((name) => file(name, name))], odd);

// Extended attributes and odd nanoseconds send an entry through the tar child.
const viaTar = { pax: { "SCHILY.xattr.user.x": "1", mtime: "1000000000.123456789" } };
const viaTarNode = { xattrs: { "user.x": "1" }, mtime: "1000000000.123456789" };
const oddByTar: Tree = {};
for (const name of ODD_NAMES) {
  oddByTar[name] = d(viaTarNode);
  oddByTar[`${name}/${name}`] = f(name, viaTarNode);
}
layersBecome("odd names, written by tar", [
  ODD_NAMES.flatMap((name) => [dir(name, viaTar), file(`${name}/${name}`, name, viaTar)]),
], oddByTar);

layersBecome("names that are not UTF-8", [
  [
    dir(latin1("d\xe9")),
    file(latin1("d\xe9/f\xff"), "1"),
    file(latin1("d\xe9/plain"), "2"),
    file(latin1("caf\xe9"), "3", viaTar),
    symlink("s", latin1("d\xe9/f\xff")),
    file("long", "4", { pax: { path: latin1("\xfe".repeat(200)) } }),
    file(latin1("gone\xe9"), "5"),
    file(latin1("over\xe9"), "6"),
  ],
  [
    file(latin1(".wh.gone\xe9")),
    file(latin1("over\xe9"), "7"),
    file(latin1("d\xe9/late"), "8"),
  ],
], {
  "d\\xe9": d(),
  "d\\xe9/f\\xff": f("1"),
  "d\\xe9/plain": f("2"),
  "d\\xe9/late": f("8"),
  "caf\\xe9": f("3", viaTarNode),
  s: l("d\\xe9/f\\xff"),
  ["\\xfe".repeat(200)]: f("4"),
  "over\\xe9": f("7"),
});

layersBecome("two names that differ in bytes only", [[
  file(latin1("x\xe9"), "1"),
  file(latin1("x\xe8"), "2"),
  file("x\ufffd", "3"),
]], { "x\\xe9": f("1"), "x\\xe8": f("2"), "x\ufffd": f("3") });

layersBecome("a hundred directories deep", [[file("d/".repeat(100) + "x", "deep")]], {
  ...Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => ["d/".repeat(i) + "d", implied()]),
  ),
  ["d/".repeat(100) + "x"]: f("deep"),
});

layersBecome("an entry and a whiteout of odd names", [
  [file("-a"), file("b\nc"), file("\\")],
  [whiteout("-a"), whiteout("b\nc"), whiteout("\\")],
], {});
