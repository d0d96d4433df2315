/** The tar format: damage, limits, every dialect that layers come in, and two-parser tricks. */

import {
  base256,
  concat,
  dir,
  file,
  globalPax,
  gnuLong,
  hardlink,
  latin1,
  member,
  padded,
  pax,
  paxRecords,
  symlink,
  tarball,
  type Text,
} from "../fixtures/tar.ts";
import { d, f, implied, l, type Tree } from "../fixtures/tree.ts";
import { becomes, GOOD_LAYER, layersBecome, rejects, rejectsLayer } from "./harness.ts";

const zeros = (length: number) => new Uint8Array(length);
const text = (value: string) => new TextEncoder().encode(value);

/** Registers a test: these bytes are no layer. */
function rejectsBytes(name: string, tar: Uint8Array, says: readonly string[]): void {
  rejects(name, { layers: [{ tar: tarball(GOOD_LAYER) }, { tar }] }, {
    code: "image-invalid",
    says,
    layer: 1,
  });
}

/** Registers a test: these bytes are a layer. */
function bytesBecome(name: string, tar: Uint8Array, tree: Tree): void {
  becomes(name, { layers: [{ tar }] }, { tree });
}

const A = file("a", "x");
bytesBecome("no byte at all", zeros(0), {});
bytesBecome("nothing but zeros", zeros(10_240), {});
bytesBecome("no zero block at the end", tarball([A], 0), { a: f("x") });
bytesBecome("one zero block at the end", tarball([A], 1), { a: f("x") });
bytesBecome("many zero blocks at the end", tarball([A], 100), { a: f("x") });
bytesBecome("the last content without its padding", file("a", "x", { unpadded: true }), {
  a: f("x"),
});
bytesBecome("text after the end", concat([tarball([A]), text("padding of some builder")]), {
  a: f("x"),
});
bytesBecome("an archive after the end is not read", tarball([tarball([A]), file("b")]), {
  a: f("x"),
});
rejectsBytes("an entry behind a single zero block", concat([tarball([A], 1), file("b")]), []);

rejectsBytes("not a tar at all", text("This is no tar archive. ".repeat(100)), ["checksum"]);
rejectsBytes("half a header", tarball([A], 0).subarray(0, 300), []);
rejectsBytes("a second header cut off", concat([A, A.subarray(0, 511)]), []);
rejectsBytes("content cut off", file("a", "x".repeat(2000)).subarray(0, 1536), ['"a"']);
rejectsBytes("a wrong checksum", tarball([file("a", "x", { checksumError: 1 })]), ["checksum"]);
rejectsBytes("a wrong checksum later", tarball([A, file("b", "", { checksumError: -1 })]), [
  "checksum",
]);
rejectsBytes("a blank checksum", tarball([file("a", "", { fields: { checksum: "" } })]), [
  "checksum",
]);
rejectsLayer("a size past the end", [file("a", "x", { size: 10 ** 9 })], ['"a"']);
rejectsLayer("an endless size", [
  file("a", "x", { fields: { size: base256(2n ** 62n, 12) } }),
], ['"a"']);
rejectsLayer("a size of 2^95 - 1", [
  file("a", "x", { fields: { size: base256(2n ** 95n - 1n, 12) } }),
], ['"a"']);
rejectsLayer("a negative size", [
  file("a", "x", { fields: { size: base256(-512n, 12) } }),
], ['"a"']);
rejectsLayer("a size of other digits", [file("a", "x", { fields: { size: "00000000099" } })], [
  '"a"',
]);
rejectsLayer("a mode of letters", [file("a", "x", { fields: { mode: "rwxr-x" } })], ['"a"']);
for (const type of ["Z", "V", "M", "D", "A", "\xff"]) {
  rejectsLayer(`an entry of type ${JSON.stringify(type)}`, [
    member("a", "0", "", { fields: { typeflag: latin1(type) } }),
  ], ['"a"']);
}

/** One entry whose pax header is what is told. */
function withPax(records: Text): Uint8Array[] {
  return [pax(typeof records === "string" ? text(records) : records), file("a", "x")];
}
for (
  const [name, records] of [
    ["no length", " path=b\n"],
    ["a length of zero", "0 path=b\n"],
    ["a length that is short", "9 path=bcd\n"],
    ["a length past the header", "99 path=b\n"],
    ["a length past 64 bits", "99999999999999999999 path=b\n"],
    ["a negative length", "-9 path=b\n"],
    ["a hexadecimal length", "0xa path=b\n"],
    ["no equals sign", "9 pathbb\n"],
    ["no key", "6 =bb\n"],
    ["no newline", "9 path=bcd"],
    ["no space", "9path=bb\n"],
    ["a second record that is cut off", "9 path=b\n20 mtime=1"],
    ["NUL for padding", "9 path=b\n\0\0\0"],
    ["a length without an end", "123"],
  ] as const
) {
  rejectsLayer(`pax record with ${name}`, withPax(records), []);
}
rejectsLayer("pax header of 2 MiB", withPax(paxRecords({ comment: "c".repeat(2 ** 21) })), []);
rejectsLayer("pax header that claims 8 GiB", [
  member("x", "x", "", { size: 2 ** 33 - 1 }),
  A,
], []);
rejectsLayer("pax header of negative size", [
  member("x", "x", "", { fields: { size: base256(-1n, 12) } }),
  A,
], []);
rejectsBytes("pax header cut off", pax({ path: "b".repeat(2000) }).subarray(0, 1024), []);
rejectsBytes("pax header for nothing", tarball([A, pax({ path: "b" })]), []);
rejectsBytes("pax header at the very end", tarball([A, pax({ path: "b" })], 0), []);
rejectsBytes("GNU long name for nothing", tarball([A, gnuLong("L", "b")]), []);
rejectsLayer("GNU long name of 1 MiB", [gnuLong("L", "n".repeat(2 ** 20)), A], []);
rejectsLayer("GNU long name that is empty", [gnuLong("L", ""), A], []);
rejectsLayer("two pax headers for one entry", [pax({ path: "b" }), pax({ path: "c" }), A], []);
rejectsLayer("two GNU long names for one entry", [gnuLong("L", "b"), gnuLong("L", "c"), A], []);
rejectsLayer("a pax and a GNU name for one entry", [gnuLong("L", "b"), pax({ path: "c" }), A], [
  '"c"',
]);
for (const key of ["path", "linkpath", "size"]) {
  rejectsLayer(`a global ${key}`, [globalPax({ [key]: "1" }), A], [key]);
}
for (const size of ["-1", "1.5", "0x1", "1e3", "9007199254740993", "99999999999999999999", " 1"]) {
  rejectsLayer(`pax size "${size}"`, [file("a", "x", { pax: { size } })], [size]);
}

// Two parsers, two answers: what hides in content that one of them takes for entries.
const HIDDEN = concat([file("hidden", "evil"), zeros(1024)]);
layersBecome("pax size counts, not the header's (CVE-2025-62518)", [[
  file("a", HIDDEN, { size: 0, pax: { size: String(HIDDEN.length) } }),
  file("b", "", { size: HIDDEN.length, pax: { size: "0" } }),
  file("c", "c"),
]], { a: f(HIDDEN), b: f(), c: f("c") });
layersBecome("base-256 size counts", [[
  file("a", HIDDEN, { fields: { size: base256(BigInt(HIDDEN.length), 12) } }),
]], { a: f(HIDDEN) });
layersBecome("content that looks like a tar", [[file("a", HIDDEN)]], { a: f(HIDDEN) });
rejectsLayer("a hard link with content", [
  A,
  hardlink("b", "a", { size: 5 }),
  padded(text("12345")),
], [
  "checksum",
]);
layersBecome("sizes of what has no content do not count", [[
  dir("d", { size: 4096 }),
  file("d/a", "x"),
  hardlink("b", "d/a", { size: 1 }),
  symlink("s", "b", { size: 1 }),
]], {
  d: d(),
  "d/a": f("x", { links: ["b", "d/a"] }),
  b: f("x", { links: ["b", "d/a"] }),
  s: l("b"),
});

layersBecome("pax records", [[
  file("header", "x", {
    mode: 0o600,
    uid: 1,
    mtime: 1,
    pax: {
      path: "first",
      comment: "= = \n",
      mtime: "2.5",
      uid: "2",
      gid: "3",
      size: "1",
      atime: "9",
      ctime: "9.9",
      "VENDOR.unknown": latin1("\xff"),
    },
  }),
  pax(paxRecords({ path: "twice" })),
  file("b", "y"),
  pax(concat([paxRecords({ path: "no" }), paxRecords({ path: "last" })])),
  file("c", "z"),
  pax(concat([paxRecords({ path: "no", uid: "7" }), text("8 path=\n7 uid=\n")])),
  file("own", "w", { uid: 4 }),
]], {
  first: f("x", { mode: 0o600, owner: "2:3", mtime: "2.5" }),
  twice: f("y"),
  last: f("z"),
  own: f("w", { owner: "4:0" }),
});
layersBecome("global pax records", [[
  globalPax({ comment: "0123456789abcdef0123456789abcdef01234567", mtime: "5", uid: "6" }),
  file("a", "", { uid: 1 }),
  file("b", "", { pax: { mtime: "7" } }),
  globalPax({ mtime: "8" }),
  file("c"),
]], {
  a: f("", { owner: "6:0", mtime: "5" }),
  b: f("", { owner: "6:0", mtime: "7" }),
  c: f("", { owner: "6:0", mtime: "8" }),
});
layersBecome("GNU long names and links", [[
  gnuLong("L", "l".repeat(200)),
  file("short", "1", { format: "gnu" }),
  gnuLong("K", "k".repeat(300)),
  gnuLong("L", "d/" + "m".repeat(250)),
  symlink("short", "short", { format: "gnu" }),
  gnuLong("K", "t".repeat(150)),
  symlink("only link", "short", { format: "gnu" }),
]], {
  ["l".repeat(200)]: f("1"),
  d: implied(),
  ["d/" + "m".repeat(250)]: l("k".repeat(300)),
  "only link": l("t".repeat(150)),
});
layersBecome("a ustar prefix", [[
  file("name", "1", { fields: { prefix: "some/prefix" } }),
  file("name", "2", { format: "gnu", fields: { prefix: "12345670123" } }),
  file("old", "3", { format: "v7" }),
  file("n".repeat(100), "4", { fields: { prefix: "p".repeat(155) } }),
]], {
  some: implied(),
  "some/prefix": implied(),
  "some/prefix/name": f("1"),
  name: f("2"),
  old: f("3"),
  ["p".repeat(155)]: implied(),
  [`${"p".repeat(155)}/${"n".repeat(100)}`]: f("4"),
});
layersBecome("types that are files, and a directory by its slash", [[
  member("nul", "\0", "1"),
  member("seven", "7", "2"),
  member("v7", "\0", "3", { format: "v7" }),
  member("v7dir/", "\0", "", { format: "v7", mode: 0o755 }),
]], { nul: f("1"), seven: f("2"), v7: f("3"), v7dir: d() });
layersBecome("numbers as other programs write them", [[
  file("spaces", "x", { fields: { mode: "   640 ", size: "          1 ", uid: "     5 " } }),
  file("blank", "", { fields: { uid: "", gid: "        ", size: "" } }),
  file("full", "x", { fields: { size: "000000000001", mode: "00000640" } }),
  file("type bits", "", { mode: 0o100640 }),
]], {
  spaces: f("x", { mode: 0o640, owner: "5:0" }),
  blank: f(),
  full: f("x", { mode: 0o640 }),
  "type bits": f("", { mode: 0o640 }),
});
const SIGNED = file(latin1("\xe9".repeat(20)), "x");
const signedSum = [...SIGNED.subarray(0, 512)].reduce(
  (sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte > 127 ? byte - 256 : byte),
  0,
);
SIGNED.set(text(signedSum.toString(8).padStart(6, "0") + "\0 "), 148);
layersBecome("a checksum of signed bytes, as old writers computed it", [[SIGNED]], {
  ["\\xe9".repeat(20)]: f("x"),
});

// Entries that end at every place of a window of any power of two.
const SIZES = [0, 1, 511, 512, 513, 65_536, 2 ** 20 - 512, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20 + 7];
const contents = SIZES.map((size, i) => Uint8Array.from({ length: size }, (_, at) => at * 31 + i));
layersBecome("files larger than any buffer", [
  contents.map((content, i) => file(`f${i}`, content, { pax: { comment: "c".repeat(i * 700) } })),
], Object.fromEntries(contents.map((content, i) => [`f${i}`, f(content)])));
layersBecome(
  "many small files",
  [Array.from({ length: 5000 }, (_, i) => file(`n${i}`, `${i}`))],
  Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`n${i}`, f(`${i}`)])),
);
