/** What the scanner makes of each field and extension, by archives made by hand. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { TarScanner, type Whiteout } from "../../src/core/tar_scanner.ts";
import {
  base256,
  block,
  character,
  concat,
  dir,
  file,
  globalPax,
  gnuLong,
  hardlink,
  latin1,
  member,
  pax,
  paxRecords,
  symlink,
  tarball,
} from "../fixtures/tar.ts";
import { collector, contents, scan, type Scanned, STEPS } from "./scan.ts";

/** The only entry of an archive of these members, the same in pieces of any size. */
function only(...members: Uint8Array[]): Scanned {
  const archive = tarball(members);
  const [entry, ...more] = scan(archive).entries;
  if (!entry || more.length > 0) throw new Error(`${more.length + 1} entries`);
  for (const step of STEPS) assertEquals(scan(archive, step).entries, [entry]);
  return entry;
}

Deno.test("names are normalised by their text", () => {
  for (
    const [name, path] of [
      ["a", "a"],
      ["./a", "a"],
      ["/a", "a"],
      ["//a//b///", "a/b"],
      ["a/./b/.", "a/b"],
      ["./././", ""],
      ["/", ""],
      ["a/..", ""],
      ["a/../b", "b"],
      ["a/b/../../c", "c"],
      ["a/b/c/../../d", "a/d"],
      ["...", "..."],
      ["a/..b/.c", "a/..b/.c"],
      ["\\a b", "\\a b"],
      ["é/日本", "é/日本"],
    ] as const
  ) {
    assertEquals(only(dir(name)).path, path, name);
    if (path !== "") assertEquals(only(hardlink("link", name)).linkPath, path, name);
    assertEquals(only(symlink("link", name)).linkPath, name, name);
  }
  assertEquals(only(file("b".repeat(4095))).path.length, 4095);
  assertEquals(only(file(`${"b/".repeat(2047)}b`)).path.length, 4095);
});

Deno.test("type flags", () => {
  for (const flag of ["0", "\0", "7"]) {
    const entry = only(member("a", flag, "x"));
    assertEquals([entry.type, entry.size, entry.regions.length], ["file", 1, 1]);
    assertEquals(only(member("a/", flag)).type, "directory");
    assertEquals(only(member("a", flag, "", { pax: { path: "b/" } })).type, "directory");
  }
  for (
    const [flag, type] of [
      ["1", "hardlink"],
      ["2", "symlink"],
      ["3", "character"],
      ["4", "block"],
      ["5", "directory"],
      ["6", "fifo"],
    ] as const
  ) {
    // A header that claims contents it cannot have is followed by the next header.
    const [entry, next] = scan(tarball([
      member("a", flag, "", { size: 9999, linkname: "target" }),
      file("b"),
    ])).entries;
    assertEquals([entry?.type, entry?.size, entry?.regions.length], [type, 0, 0]);
    assertEquals(entry?.linkPath, flag === "1" || flag === "2" ? "target" : "");
    assertEquals(next?.path, "b");
  }
});

Deno.test("devices", () => {
  const entry = only(character("null", 1, 3));
  assertEquals([entry.type, entry.major, entry.minor], ["character", 1, 3]);
  const large = only(
    block("b", 0, 0, { pax: { "SCHILY.devmajor": "259", "SCHILY.devminor": "1048575" } }),
  );
  assertEquals([large.type, large.major, large.minor], ["block", 259, 1048575]);
  // Numbers of what is no device are not looked at.
  assertEquals(only(file("f", "", { fields: { devmajor: "junk" } })).major, 0);
});

Deno.test("octal and base-256 numbers", () => {
  const size = 5;
  for (const text of ["00000000005", "5", "          5", "5 ", "\0\0\0\x005", "000000000005"]) {
    assertEquals(only(file("a", "hello", { fields: { size: text } })).size, size, text);
  }
  assertEquals(only(file("a", "", { fields: { size: "", uid: "", mode: "", mtime: "" } })).uid, 0);
  assertEquals(only(file("a", "hello", { fields: { size: base256(5n, 12) } })).size, size);
  assertEquals(only(file("a", "", { uid: 4294967294, gid: 2097152 })).uid, 4294967294);
  assertEquals(only(file("a", "", { mode: 0o104755 })).mode, 0o4755);
  for (const mtime of [-1, -(2 ** 40), -(2 ** 53), 2 ** 53 - 1, 2 ** 33]) {
    const entry = only(file("a", "", { fields: { mtime: base256(BigInt(mtime), 12) } }));
    assertEquals(entry.mtime, { seconds: mtime, nanoseconds: 0 });
  }
});

Deno.test("pax times", () => {
  for (
    const [text, seconds, nanoseconds] of [
      ["0", 0, 0],
      ["1", 1, 0],
      ["1.", 1, 0],
      ["1.5", 1, 500_000_000],
      ["1.000000001", 1, 1],
      ["1.9999999999", 1, 999_999_999],
      ["-1", -1, 0],
      ["-0", 0, 0],
      ["-0.5", -1, 500_000_000],
      ["-1.25", -2, 750_000_000],
      ["-0.0000000001", -1, 999_999_999],
      ["-1.0000000000", -1, 0],
      ["9007199254740991", 9007199254740991, 0],
    ] as const
  ) {
    const { mtime } = only(file("a", "", { pax: { mtime: text } }));
    assertEquals({ seconds: mtime.seconds + 0, nanoseconds: mtime.nanoseconds }, {
      seconds,
      nanoseconds,
    }, text);
  }
});

Deno.test("pax records: override, last wins, empty removes, unknown pass", () => {
  const header = { uid: 1, gid: 2, mtime: 3, size: 9 };
  const records = { uid: "10", gid: "20", mtime: "30.5", size: "4", path: "p/q", "X.y": "z" };
  const entry = only(file("a", "abcd", { ...header, pax: records }));
  assertEquals([entry.uid, entry.gid, entry.size, entry.path], [10, 20, 4, "p/q"]);
  assertEquals(entry.mtime, { seconds: 30, nanoseconds: 500_000_000 });
  const twice = concat([paxRecords({ uid: "5", path: "no" }), paxRecords({ uid: "6", path: "b" })]);
  const last = only(concat([pax(twice), file("a")]));
  assertEquals([last.uid, last.path], [6, "b"]);
  const none = concat([
    paxRecords(records),
    paxRecords({ uid: "", path: "", size: "", mtime: "" }),
  ]);
  const removed = only(concat([pax(none), file("a", "x", { uid: 1, mtime: 3 })]));
  assertEquals([removed.uid, removed.path, removed.size], [1, "a", 1]);
  assertEquals(removed.mtime, { seconds: 3, nanoseconds: 0 });
  // They hold for one entry only.
  const [, next] = scan(tarball([file("a", "", { pax: { uid: "7" } }), file("b")])).entries;
  assertEquals(next?.uid, 0);
  // A link name is nothing to a file, and a size nothing to a link.
  assertEquals(only(file("a", "", { pax: { linkpath: "x" } })).linkPath, "");
  assertEquals(only(symlink("a", "b", { pax: { size: "100", linkpath: "c" } })).linkPath, "c");
});

Deno.test("global pax records hold until changed, local ones win", () => {
  const archive = tarball([
    globalPax({ comment: "c", uid: "1", mtime: "1.5", "SCHILY.xattr.user.g": "g" }),
    file("a", "", { uid: 9 }),
    file("b", "", { pax: { uid: "2", "SCHILY.xattr.user.l": "l" } }),
    file("c", "", { uid: 9, pax: { uid: "", "SCHILY.xattr.user.g": "" } }),
    globalPax({ uid: "3" }),
    file("d"),
    globalPax({ uid: "", mtime: "" }),
    file("e", "", { uid: 8, mtime: 4 }),
  ]);
  const bytes = (text: string) => new TextEncoder().encode(text);
  for (const step of STEPS) {
    const { entries } = scan(archive, step);
    assertEquals(entries.map((entry) => entry.uid), [1, 2, 9, 3, 8]);
    assertEquals(entries.map((entry) => entry.mtime.seconds), [1, 1, 1, 1, 4]);
    assertEquals(entries.map((entry) => [...entry.xattrs ?? []]), [
      [["user.g", bytes("g")]],
      [["user.g", bytes("g")], ["user.l", bytes("l")]],
      [],
      [["user.g", bytes("g")]],
      [["user.g", bytes("g")]],
    ]);
  }
});

Deno.test("extended attributes: binary, both prefixes, last wins", () => {
  const value = latin1("\x01\x00=\n\xff");
  const entry = only(concat([
    pax(concat([
      paxRecords({ "SCHILY.xattr.security.capability": value, "SCHILY.xattr.user.a": "old" }),
      paxRecords({ path: "named", "LIBARCHIVE.xattr.user.a%62%C3%A9": "AP8" }),
      paxRecords({ "SCHILY.xattr.user.a": "new", "SCHILY.xattr.user.a%62%C3%A9": "same again" }),
      paxRecords({ "LIBARCHIVE.xattr.user.padded": "AA==" }),
    ])),
    file("a", "x"),
  ]));
  assertEquals(entry.path, "named");
  assertEquals(Object.fromEntries(entry.xattrs ?? []), {
    "security.capability": value,
    "user.a": new TextEncoder().encode("new"),
    "user.abé": Uint8Array.of(0, 255),
    "user.padded": Uint8Array.of(0),
  });
});

Deno.test("GNU long names, prefix of ustar and of star", () => {
  const long = "n".repeat(300);
  const entry = only(concat([gnuLong("L", long), gnuLong("K", `${long}k`), symlink("a", "b")]));
  assertEquals([entry.path, entry.linkPath], [long, `${long}k`]);
  assertEquals(only(file("a", "", { fields: { prefix: "p/q" } })).path, "p/q/a");
  assertEquals(only(file("a", "", { format: "gnu", fields: { prefix: "00012" } })).path, "a");
  assertEquals(only(file("a", "", { format: "v7", fields: { prefix: "p" } })).path, "a");
  const full = file("f".repeat(100), "", { fields: { prefix: "p".repeat(155) } });
  assertEquals(only(full).path, `${"p".repeat(155)}/${"f".repeat(100)}`);
});

Deno.test("a checksum of signed bytes", () => {
  const archive = file(latin1("\xe9\xff"), "x");
  const sum = archive.subarray(0, 512).reduce(
    (total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte > 127 ? byte - 256 : byte),
    0,
  );
  archive.set(new TextEncoder().encode(sum.toString(8).padStart(6, "0") + "\0 "), 148);
  assertEquals(only(archive).size, 1);
});

Deno.test("whiteouts", () => {
  const cases: [string, Whiteout, string][] = [
    [".wh.a", "hide", "a"],
    ["./d/.wh.a", "hide", "d/a"],
    ["d/.wh.a/", "hide", "d/a"],
    ["d/.wh.é", "hide", "d/é"],
    ["d/.wh....", "hide", "d/..."],
    ["d/.wh..a", "hide", "d/.a"],
    ["d/.wh..wh", "hide", "d/.wh"],
    ["d/x/../.wh.a", "hide", "d/a"],
    [".wh..wh..opq", "opaque", ""],
    ["d/e/.wh..wh..opq", "opaque", "d/e"],
    [".wh..wh.aufs", "reserved", ""],
    [".wh..wh.", "reserved", ""],
    [".wh..wh..opqx", "reserved", ""],
    ["d/.wh..wh.plnk/1.2", "reserved", ""],
    ["d/.wh..wh..opq/x", "reserved", ""],
    ["d/wh.a", "none", ""],
    ["d/a.wh.b", "none", ""],
    [".wh", "none", ""],
  ];
  for (const [name, whiteout, hidden] of cases) {
    for (const entry of [only(file(name)), only(dir(name)), only(symlink(name, "x"))]) {
      assertEquals([entry.whiteout, entry.hidden], [whiteout, hidden], name);
    }
  }
  const raw = scan(tarball([file(latin1("d/.wh.\xff"))]));
  const hidden = raw.entries[0];
  assertEquals(hidden?.whiteout, "hide");
});

Deno.test("sparse data go where the map says, regions without bytes aside", () => {
  const entry = only(concat([
    pax({ "GNU.sparse.size": "1000", "GNU.sparse.map": "0,0,10,3,13,2,500,0,900,4,1000,0" }),
    file("a", "abcdeWXYZ"),
  ]));
  const expected = new Uint8Array(1000);
  expected.set(new TextEncoder().encode("abcde"), 10);
  expected.set(new TextEncoder().encode("WXYZ"), 900);
  assertEquals(entry.size, 1000);
  assertEquals(
    entry.sparse?.map(({ offset, length }) => [offset, length]),
    [[0, 0], [10, 3], [13, 2], [500, 0], [900, 4], [1000, 0]],
  );
  assertEquals(contents(entry), expected);
});

Deno.test("data that can be skipped", () => {
  const archive = tarball([
    file("a", "x".repeat(5000)),
    file("b", "y"),
    file("c", "z".repeat(600)),
  ]);
  for (const step of [512, 700, 2000]) {
    const entries: Scanned[] = [];
    const visitor = collector(entries);
    const scanner = new TarScanner({ algorithm: null, engine: "native" });
    let fed = 0;
    while (scanner.offset < archive.length) {
      const piece = archive.subarray(scanner.offset, scanner.offset + step);
      scanner.window.set(piece);
      scanner.feed(piece.length, visitor);
      fed += piece.length;
      scanner.skip(Math.min(scanner.skippable(), archive.length - scanner.offset));
    }
    scanner.end(visitor);
    assertEquals(entries.map((entry) => [entry.path, entry.size]), [["a", 5000], ["b", 1], [
      "c",
      600,
    ]]);
    assert(fed < archive.length - 2000, `${fed} of ${archive.length} were fed`);
    assertThrows(() => scanner.digest(), TypeError);
  }
  const hashed = new TarScanner({ algorithm: "sha256", engine: "wasm" });
  assertThrows(() => hashed.skip(0), TypeError, "is hashed");
  const plain = new TarScanner({ algorithm: null, engine: "wasm" });
  assertThrows(() => plain.skip(1), RangeError);
});

Deno.test("a visitor's own error goes through, and ends the scan", () => {
  const scanner = new TarScanner({ algorithm: "sha512", engine: "wasm" });
  const archive = tarball([file("a"), file("b")]);
  scanner.window.set(archive);
  const visitor = {
    entry: () => {
      throw new RangeError("mine");
    },
    data: () => {},
    end: () => {},
  };
  assertThrows(() => scanner.feed(archive.length, visitor), RangeError, "mine");
  assertThrows(() => scanner.end(visitor), TypeError, "is over");
});

Deno.test("no byte at all is an archive without entries", () => {
  assertEquals(scan(new Uint8Array(0)).entries, []);
  assertEquals(
    scan(new Uint8Array(0)).digest,
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
});
