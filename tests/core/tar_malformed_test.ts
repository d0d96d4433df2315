/** One archive for each thing that the scanner refuses: what it says, and that pieces do not matter. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { TarScanner } from "../../src/core/tar_scanner.ts";
import { LayerfsError } from "../../src/errors.ts";
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
import { collector, scan, type Scanned, STEPS } from "./scan.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const GOOD = file("good", "contents");

/** Scans up to the error: what was delivered before it, and the error. */
function scanToError(
  archive: Uint8Array,
  step: number,
): { entries: Scanned[]; error: LayerfsError } {
  const entries: Scanned[] = [];
  const scanner = new TarScanner({ algorithm: "sha256", engine: "wasm" });
  const visitor = collector(entries);
  try {
    for (let at = 0; at < archive.length; at += step) {
      const piece = archive.subarray(at, at + step);
      scanner.window.set(piece);
      scanner.feed(piece.length, visitor);
    }
    scanner.end(visitor);
  } catch (error) {
    assert(error instanceof LayerfsError, String(error));
    // It stays broken.
    assertEquals(assertThrows(() => scanner.feed(0, visitor), LayerfsError), error);
    return { entries, error };
  }
  throw new Error("nothing was refused");
}

/** What the error names, and the entries that came whole before it. */
interface Place {
  entry?: string;
  offset?: number;
  before?: string[];
}

/** Registers a test: the entry in question is `entry`, its header starts at `offset`. */
function refuses(
  name: string,
  bytes: Uint8Array,
  says: string,
  { entry = "", offset = 1024, before = ["good"] }: Place = {},
): void {
  Deno.test(`refused: ${name}`, () => {
    const archive = concat([GOOD, bytes]);
    const whole = scanToError(archive, 1 << 20);
    assertEquals(whole.error.code, "image-invalid");
    assert(whole.error.message.includes(says), whole.error.message);
    assertEquals(whole.error.data, { entry, headerOffset: offset });
    assertEquals(whole.entries.map((found) => found.path), before);
    for (const step of STEPS) {
      const cut = scanToError(archive, step);
      assertEquals(cut.error.message, whole.error.message, `pieces of ${step}`);
      assertEquals(cut.entries, whole.entries, `pieces of ${step}`);
    }
  });
}

const one = (bytes: Uint8Array) => tarball([bytes]);
const withPax = (records: Text) => one(concat([pax(utf8AsBytes(records)), file("a", "x")]));
const utf8AsBytes = (text: Text) => typeof text === "string" ? utf8(text) : text;
const big = (value: bigint) => ({ fields: { size: base256(value, 12) } });
const A = { entry: "a" };

refuses("checksum", one(file("a", "", { checksumError: 1 })), "checksum of the header is wrong");
refuses("checksum of letters", one(file("a", "", { fields: { checksum: "abcdef" } })), "checksum");
refuses("octal digit 8", one(file("a", "", { fields: { size: "00000000008" } })), "malformed", A);
refuses("octal junk", one(file("a", "", { fields: { uid: "12 34" } })), 'found "12 34', A);
refuses("size 2^53", one(file("a", "", big(2n ** 53n))), "beyond 2^53 - 1", A);
refuses("size 2^94", one(file("a", "", big(2n ** 94n))), "beyond 2^53 - 1", A);
refuses("negative size", one(file("a", "", big(-1n))), "negative", A);
refuses("negative uid", one(file("a", "", { fields: { uid: base256(-2n, 8) } })), "negative", A);
refuses("uid 2^32 - 1", one(file("a", "", { uid: 2 ** 32 - 1 })), "id is outside", A);
refuses("gid in pax 2^32 - 1", withPax(paxRecords({ gid: "4294967295" })), 'found "4294967295"');
refuses("unknown type", one(member("a", "Z")), 'type is unknown: found "Z"', A);
refuses("empty name", one(file("")), "the name is empty");
refuses("empty GNU name", one(concat([gnuLong("L", ""), file("a")])), "the name is empty");
refuses("symlink without target", one(symlink("a", "")), "no target", A);
refuses("hard link without target", one(hardlink("a", "")), "no target", A);
for (const name of ["..", "a/../..", "/..", "../a", "a/../../b"]) {
  refuses(`name ${name}`, one(file(name)), "leads above the root", { entry: name });
}
refuses("target above the root", one(hardlink("a", "../good")), "target of the hard link", A);
refuses(
  "name of 4096 bytes",
  one(file("a", "", { pax: { path: "b".repeat(4096) } })),
  "name is too long",
);
refuses(
  "GNU name of 4096 bytes",
  one(concat([gnuLong("L", "b".repeat(4096)), file("a")])),
  "name is too long",
);
refuses(
  "target of 4096 bytes",
  one(concat([pax({ linkpath: "b".repeat(4096) }), symlink("a", "b")])),
  "too long",
);
refuses("the root a file", one(file("./.")), "root of the layer is not a directory", {
  entry: "./.",
});
refuses("the root a symlink", one(symlink("/", "x")), "not a directory", { entry: "/" });
refuses("a hard link to the root", one(hardlink("a", "./")), "target of a hard link", A);
refuses("a hard link to itself", one(hardlink("a", "./b/../a")), "its own target", A);
refuses("a directory with contents", one(file("d/", "x")), "has contents", { entry: "d/" });
refuses("pax of 1 MiB and a byte", one(member("x", "x", "", { size: 1048577 })), "too large");
for (
  const [name, records] of [
    ["zero length", "0 a=b\n"],
    ["no space", "6_a=b\n"],
    ["short length", "5 a=bc\n"],
    ["length past the end", "99 a=b\n"],
    ["no equals sign", "6 abc\n"],
    ["no key", "5 =b\n"],
    ["NUL in the key", "8 a\0b=c\n"],
    ["rest", "6 a=b\n\0"],
    ["nine digits", "000000006 a=b\n"],
  ] as const
) refuses(`pax record: ${name}`, withPax(records), "pax record is malformed");
refuses("NUL in a pax path", withPax(paxRecords({ path: latin1("b\0c") })), "holds a NUL");
refuses("NUL in a pax linkpath", withPax(paxRecords({ linkpath: latin1("\0") })), "holds a NUL");
for (const mtime of ["-", ".5", "1.x", "1,5", "0x1", " 1", "+1", "--1"]) {
  refuses(`mtime "${mtime}"`, withPax(paxRecords({ mtime })), "number in a pax record");
}
refuses("mtime 2^53", withPax(paxRecords({ mtime: "9007199254740992" })), "beyond 2^53 - 1");
refuses("pax size -1", withPax(paxRecords({ size: "-1" })), "number in a pax record");
for (const key of ["path", "linkpath", "size", "GNU.sparse.map"]) {
  refuses(`global ${key}`, one(concat([globalPax({ [key]: "1" }), GOOD])), `found "${key}"`);
}
const second = { offset: 2048 };
refuses("two x", one(concat([pax({ uid: "1" }), pax({ uid: "1" }), GOOD])), "one type", second);
refuses("x and g", one(concat([pax({ uid: "1" }), globalPax({}), GOOD])), "one type", second);
refuses("two L", one(concat([gnuLong("L", "b"), gnuLong("L", "b"), GOOD])), "one type", second);
refuses("two K", one(concat([gnuLong("K", "b"), gnuLong("K", "b"), GOOD])), "one type", second);
refuses("L and path", one(concat([gnuLong("L", "b"), pax({ path: "c" }), GOOD])), "both", {
  entry: "c",
  offset: 3072,
});
refuses("K and linkpath", one(concat([gnuLong("K", "b"), pax({ linkpath: "c" }), GOOD])), "both", {
  entry: "good",
  offset: 3072,
});
refuses(
  "global extended attributes without end",
  one(concat([
    globalPax({ "SCHILY.xattr.user.a": "v".repeat(40_000) }),
    globalPax({ "SCHILY.xattr.user.b": "v".repeat(40_000) }),
  ])),
  "64 KiB",
  { offset: 1024 + 512 + 40_448 },
);
refuses(
  "a header behind one zero block",
  concat([new Uint8Array(512), GOOD]),
  "single zero block",
  {
    offset: 1536,
  },
);
refuses("x before the end", one(pax({ uid: "1" })), "no entry follows", { offset: 2048 });
refuses("x at the very end", pax({ uid: "1" }), "no entry follows", { offset: 2048 });
refuses("half a header", file("a").subarray(0, 300), "ends within the header");
refuses("half an x header", pax({ uid: "1" }).subarray(0, 515), "within the extended header");
refuses("half the contents", file("a", "xyz").subarray(0, 514), "ends within the contents", A);
refuses("half an x header's padding", pax({ uid: "1" }).subarray(0, 1000), "the extended header");
refuses("a bare whiteout", one(file("d/.wh.")), "names nothing", { entry: "d/.wh." });
refuses("a whiteout of .", one(file(".wh..")), 'hides "." or ".."', { entry: ".wh.." });
refuses("a whiteout of ..", one(dir("d/.wh.../")), 'hides "." or ".."', { entry: "d/.wh.../" });
refuses("a child of a whiteout", one(file("d/.wh.x/y")), "below a whiteout", {
  entry: "d/.wh.x/y",
});
refuses(
  "xattr that is not base64",
  withPax(paxRecords({ "LIBARCHIVE.xattr.user.a": "*" })),
  "user.a",
  {
    entry: "a",
    offset: 2048,
  },
);

// Sparse maps.
const sparse = (records: Record<string, string>, data = "headtail") =>
  one(concat([pax({ "GNU.sparse.size": "100", ...records }), file("a", data)]));
const place = { entry: "a", offset: 2048 };
for (
  const [name, map, says] of [
    ["backwards", "50,4,0,4", "sparse map is malformed"],
    ["overlapping", "0,4,3,4", "sparse map is malformed"],
    ["beyond 2^53 together", "9007199254740990,4,9007199254740991,4", "sparse map is malformed"],
    ["half a pair", "0,4,50", "pax record is malformed"],
    ["a comma too many", "0,4,50,4,", "number in a pax record"],
    ["letters", "0,4,x,4", "number in a pax record"],
  ] as const
) refuses(`sparse map: ${name}`, sparse({ "GNU.sparse.map": map }), says);
const TWO_MAPS = ["0,4", "50,4"].map((map) => paxRecords({ "GNU.sparse.map": map }));
refuses(
  "sparse map: two of them",
  one(
    concat([
      pax(concat([paxRecords({ "GNU.sparse.size": "100" }), ...TWO_MAPS])),
      file("a", "headtail"),
    ]),
  ),
  "malformed",
);
refuses("sparse map: past the size", sparse({ "GNU.sparse.map": "0,4,97,4" }), "malformed", place);
refuses("sparse map: less than stored", sparse({ "GNU.sparse.map": "0,4" }), "does not fit", place);
refuses("sparse map: more than stored", sparse({ "GNU.sparse.map": "0,9" }), "does not fit", place);
refuses(
  "sparse: wrong count",
  sparse({ "GNU.sparse.map": "0,8", "GNU.sparse.numblocks": "2" }),
  "mal",
  place,
);
refuses(
  "sparse: a count of offsets",
  sparse({ "GNU.sparse.offset": "0" }),
  "pax record is malformed",
);
refuses("sparse: version 2.0", sparse({ "GNU.sparse.major": "2" }), "version", place);
refuses(
  "sparse directory",
  one(concat([pax({ "GNU.sparse.map": "0,0", "GNU.sparse.size": "0" }), dir("a")])),
  "cannot have one",
  place,
);
refuses("S that is not GNU", one(member("a", "S")), "cannot have one", A);
const version1 = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "100" };
for (
  const [name, text, says] of [
    ["nothing", "", "sparse map is malformed"],
    ["letters", "1\nx\n4\nhead", "sparse map is malformed"],
    ["an empty line", "1\n\n4\nhead", "sparse map is malformed"],
    ["no end", "2\n0\n4\n50\n", "sparse map is malformed"],
    ["too many regions", "131073\n", "131072 regions"],
    ["2^64 regions", "18446744073709551617\n", "sparse map is malformed"],
    ["digits without end", "0".repeat(33) + "1\n", "sparse map is malformed"],
  ] as const
) refuses(`sparse 1.0: ${name}`, sparse(version1, text), says, place);
refuses(
  "sparse 1.0: cut off",
  sparse(version1, "2\n0\n4\n".padEnd(600, "0")).subarray(0, 1540),
  "within the sparse map",
  place,
);

Deno.test("data after the end are hashed and nothing else", () => {
  const junk = new Uint8Array(3000).fill(0x61);
  for (const zeros of [512, 1024, 2048]) {
    const archive = concat([GOOD, new Uint8Array(zeros), junk]);
    for (const step of STEPS) {
      const { entries, digest } = scan(archive, step);
      assertEquals(entries.map((entry) => entry.path), ["good"]);
      assertEquals(
        digest,
        scan(archive, 1 << 20, { algorithm: "sha256", engine: "native" }).digest,
      );
    }
  }
  // Behind two zero blocks even an entry is just data.
  const { entries } = scan(concat([tarball([GOOD]), padded(GOOD)]));
  assertEquals(entries.length, 1);
});

Deno.test("no archive of random bytes, and no random change, breaks the scanner otherwise", () => {
  const archive = tarball([
    pax({ path: "long/name", "SCHILY.xattr.user.a": "b", mtime: "1.5" }),
    file("a", "x".repeat(700)),
    gnuLong("L", "l".repeat(200)),
    file("b", "y"),
    concat([pax({ ...version1 }), file("s", "1\n5\n3\n".padEnd(512, "\0") + "abc")]),
    hardlink("h", "b"),
    symlink("l", "b"),
  ]);
  assertEquals(scan(archive).entries.length, 5);
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const changed = archive.slice();
    const at = (round * 7919) % changed.length;
    changed[at] = (changed[at] ?? 0) ^ (1 + round % 255);
    reseal(changed, at - at % 512);
    try {
      scan(changed, 1 + (round * 31) % 2000);
    } catch (error) {
      assert(error instanceof LayerfsError, String(error));
      assertEquals(error.code, "image-invalid");
      refused++;
    }
  }
  assert(refused > 150 && refused < 2900, `${refused} of 3000 were refused`);
});

/** Makes the checksum of the block at `start` right again, if it is a header. */
function reseal(archive: Uint8Array, start: number): void {
  const block = archive.subarray(start, start + 512);
  if (new TextDecoder().decode(block.subarray(257, 262)) !== "ustar") return;
  block.set(utf8("        "), 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(utf8(sum.toString(8).padStart(6, "0") + "\0 "), 148);
}
