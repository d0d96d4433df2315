/** Changes of type between layers and within one; directories over directories; many layers. */

import { character, dir, fifo, file, symlink, whiteout } from "../fixtures/tar.ts";
import { d, dev, f, l, p } from "../fixtures/tree.ts";
import { layersBecome } from "./harness.ts";

layersBecome("a directory over a directory replaces its attributes", [
  [dir("d", { mode: 0o777, uid: 5, mtime: 1, pax: { "SCHILY.xattr.user.old": "1" } }), file("d/x")],
  [dir("d", { mode: 0o700, gid: 6, mtime: 2, pax: { "SCHILY.xattr.user.new": "2" } })],
], {
  d: d({ mode: 0o700, owner: "0:6", mtime: "2", xattrs: { "user.new": "2" } }),
  "d/x": f(),
});
layersBecome("a directory over a directory takes its xattrs away", [
  [dir("d", { uid: 5, pax: { "SCHILY.xattr.user.old": "1" } })],
  [dir("d")],
], { d: d() });
layersBecome("a lower directory keeps everything when something is written into it", [
  [
    dir("d", {
      mode: 0o2555,
      uid: 5,
      gid: 6,
      pax: { mtime: "7.000000008", "SCHILY.xattr.user.a": "1" },
    }),
  ],
  [file("d/x")],
  [whiteout("d/x")],
], { d: d({ mode: 0o2555, owner: "5:6", mtime: "7.000000008", xattrs: { "user.a": "1" } }) });

layersBecome("every change of type", (w) => [
  [
    dir("dir-file"),
    file("dir-file/x"),
    dir("dir-link"),
    file("dir-link/x"),
    dir("dir-fifo/sub"),
    file("file-dir"),
    file("file-link"),
    file("file-fifo"),
    symlink("link-dir", w.canary),
    symlink("link-file", `${w.canary}/secret`),
    symlink("link-link", w.canary),
    fifo("fifo-file"),
    fifo("fifo-dir"),
  ],
  [
    file("dir-file", "1"),
    symlink("dir-link", "2"),
    fifo("dir-fifo"),
    dir("file-dir"),
    file("file-dir/x", "3"),
    symlink("file-link", "4"),
    fifo("file-fifo"),
    dir("link-dir"),
    file("link-dir/secret", "5"),
    file("link-file", "6"),
    symlink("link-link", "7"),
    file("fifo-file", "8"),
    dir("fifo-dir"),
  ],
], {
  "dir-file": f("1"),
  "dir-link": l("2"),
  "dir-fifo": p(),
  "file-dir": d(),
  "file-dir/x": f("3"),
  "file-link": l("4"),
  "file-fifo": p(),
  "link-dir": d(),
  "link-dir/secret": f("5"),
  "link-file": f("6"),
  "link-link": l("7"),
  "fifo-file": f("8"),
  "fifo-dir": d(),
});

layersBecome("changes of type within one layer: the last wins", (w) => [[
  dir("a"),
  file("a/x"),
  file("a", "1"),
  file("b", "1"),
  dir("b"),
  file("b/x", "2"),
  symlink("c", w.canary),
  dir("c"),
  file("c/secret", "3"),
  file("d", "old", { mode: 0o4755 }),
  file("d", "new"),
  dir("e", { mode: 0o700 }),
  file("e/x"),
  dir("e", { mode: 0o711 }),
]], {
  a: f("1"),
  b: d(),
  "b/x": f("2"),
  c: d(),
  "c/secret": f("3"),
  d: f("new"),
  e: d({ mode: 0o711 }),
  "e/x": f(),
});

layersBecome(
  "a device over a file and back",
  [
    [file("a", "1"), character("b", 1, 3)],
    [character("a", 1, 3), file("b", "2")],
  ],
  { a: dev("character", 1, 3), b: f("2") },
  Deno.uid() === 0 ? [] : ['"b"', '"a"'],
);

const COUNT = 130;
layersBecome(
  "more layers than Docker takes",
  Array.from({ length: COUNT }, (_, i) => [
    file(`f${i}`, `${i}`),
    file("all", `${i}`),
    ...(i % 2 === 1 ? [whiteout(`f${i - 1}`)] : []),
  ]),
  {
    all: f(`${COUNT - 1}`),
    ...Object.fromEntries(
      Array.from({ length: COUNT / 2 }, (_, i) => [`f${2 * i + 1}`, f(`${2 * i + 1}`)]),
    ),
  },
);
