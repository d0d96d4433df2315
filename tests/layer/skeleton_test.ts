/** Tar streams come back from their skeletons, whatever is in them. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { randomBytes } from "node:crypto";
import { LayerfsError } from "../../src/errors.ts";
import { putNumber, RECORD } from "../../src/layer/skeleton_format.ts";
import { SkeletonReader, type SkeletonRecord } from "../../src/layer/skeleton_reader.ts";
import {
  character,
  concat,
  dir,
  fifo,
  file,
  globalPax,
  gnuLong,
  hardlink,
  latin1,
  member,
  opaque,
  padded,
  pax,
  paxRecords,
  symlink,
  whiteout,
} from "../fixtures/tar.ts";
import { IS_ROOT } from "../fixtures/tree.ts";
import { applyAll, assertOk, verify, withLayers } from "./skeleton_harness.ts";

const LONG = "long/".repeat(50) + "name";
const LARGE = new Uint8Array(randomBytes(3_000_001));

/** Version 1.0 of sparse files: the map stands before the data. */
function sparse(name: string, regions: readonly (readonly [number, string])[], size: number) {
  const records = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": name,
    "GNU.sparse.realsize": String(size),
  };
  const map = [regions.length, ...regions.flatMap(([at, text]) => [at, text.length])];
  const text = new TextEncoder().encode(map.join("\n") + "\n");
  const data = new TextEncoder().encode(regions.map(([, text]) => text).join(""));
  return concat([pax(paxRecords(records)), file("s", concat([padded(text), data]))]);
}

/** Old GNU: two regions in the header itself. */
function oldSparse(name: string): Uint8Array {
  const octal = (value: number) => value.toString(8).padStart(11, "0") + "\0";
  const fields = {
    sparse: octal(512) + octal(512) + octal(4096) + octal(3),
    realsize: octal(5000),
  };
  return member(name, "S", "x".repeat(512) + "end", { format: "gnu", fields });
}

const KINDS: Record<string, readonly (readonly Uint8Array[])[]> = {
  "an empty layer": [[]],
  "plain files": [[
    dir("d", { mode: 0o700, uid: 5 }),
    file("d/a", "a"),
    file("empty"),
    file("b", "b".repeat(512)),
  ]],
  "a large file between small ones": [[file("a", "1"), file("large", LARGE), file("z", "2")]],
  "many small files": [
    Array.from({ length: 2000 }, (_, i) => file(`f${i}`, `content of ${i} `.repeat(i % 40))),
  ],
  "sparse files": [[
    sparse("s1", [[0, "head"], [600, "middle"], [5000, "end"]], 6000),
    sparse("s2", [], 100_000),
    sparse("s3", [[70_000, "x".repeat(1000)]], 80_000),
    oldSparse("s4"),
    file("after", "after"),
  ]],
  "hard links and symlinks": [
    [file("t", "target"), hardlink("h", "t"), symlink("s", "t"), hardlink("hs", "s")],
    [hardlink("h2", "t"), whiteout("t")],
  ],
  "long names in both notations": [[
    file(LONG, "pax"),
    concat([gnuLong("L", "gnu/".repeat(40) + "f"), file("short", "gnu")]),
    symlink("l", "x".repeat(300)),
  ]],
  "pax records": [[
    globalPax({ comment: "all" }),
    file("x", "x", { pax: { mtime: "6.123456789", "SCHILY.xattr.user.k": "v" } }),
    dir("dx", { pax: { mtime: "7.000000001" } }),
    symlink("t", "nowhere", { pax: { mtime: "9.000000001" } }),
  ]],
  "times that no filesystem may hold": [[
    file("a", "a", { mtime: -5 }),
    dir("d", { mtime: 2 ** 33 }),
  ]],
  "special files": [[
    fifo("p"),
    ...IS_ROOT ? [character("c", 1, 3), character("wide", 300, 70_000)] : [],
  ]],
  "whiteouts": [
    [file("gone", "1"), file("o/lower", "2"), file("o/both", "3"), file("i/x", "4")],
    [
      whiteout("gone"),
      file("o/both", "new"),
      opaque("o"),
      whiteout("never"),
      whiteout("i"),
      file("i/y", "5"),
    ],
  ],
  "a whiteout with content, which goes nowhere": [
    [file(".wh.x", "content"), file(".wh..wh.aufs/y", "more")],
  ],
  "parents behind symlinks": [
    [dir("real"), symlink("link", "real"), file("real/old", "old")],
    [
      file("link/f", "through"),
      dir("link/sub"),
      symlink("link/s", "x"),
      file("link/old", "new"),
      whiteout("link/none"),
    ],
  ],
  "directories that stand twice": [[
    dir("d", { mode: 0o700 }),
    file("d/f", "f"),
    dir("d", { mode: 0o711 }),
  ]],
  "a directory over a symlink to one": [[symlink("d", "e"), dir("e")], [
    dir("d"),
    file("d/f", "f"),
  ]],
  "a symlink that stands twice": [[symlink("s", "one"), symlink("s", "two"), file("f", "f")]],
};

for (const [name, layers] of Object.entries(KINDS)) {
  Deno.test(`${name}: the layer is as it was`, () =>
    // The layers are in one tree, in which the upper ones have changed the lower ones.
    withLayers(
      layers,
      {},
      (applied) => assertOk({ ...applied, layers: applied.layers.slice(-1) }),
    ));
}

Deno.test("names that are not UTF-8: contents are verified", () =>
  withLayers(
    [[
      dir(latin1("d\xe9")),
      file(latin1("d\xe9/f\xff"), "raw".repeat(200)),
      file(latin1("top\xfe"), ""),
      symlink("link", latin1("d\xe9")),
      file("link/g", "below a raw name"),
    ]],
    {},
    assertOk,
  ));

Deno.test("sha512, and bytes behind the end of the archive", () =>
  withLayers([[file("a", "a"), dir("b")]], {
    algorithm: "sha512",
    trailer: new Uint8Array(5120),
  }, assertOk));

Deno.test("as an ordinary user, owners and devices are left out", () =>
  withLayers(
    [[
      file("f", "x", { uid: 1000, gid: 5 }),
      dir("d", { gid: 7 }),
      character("c", 1, 3),
      hardlink("h", "c"),
    ]],
    { asRoot: false },
    assertOk,
  ));

Deno.test("ten layers at once, each with its verdict", () =>
  withLayers(
    Array.from({ length: 10 }, (_, i) => [file(`f${i}`, LARGE.subarray(0, i * 250_000))]),
    {},
    async (applied) => {
      await assertOk(applied);
      Deno.writeTextFileSync(`${applied.root}/f7`, "changed");
      const verdicts = await verify(applied);
      assertEquals(
        verdicts.map(({ status }) => status === "ok"),
        applied.layers.map((_, i) => i !== 7),
      );
    },
  ));

/** All records of a skeleton, but for their bytes. */
function read(path: string): SkeletonRecord[] {
  const reader = new SkeletonReader(path);
  const records: SkeletonRecord[] = [];
  try {
    do records.push(reader.next()); while (records.at(-1)?.kind !== "end");
  } finally {
    reader.close();
  }
  return records;
}

Deno.test("a skeleton has no contents, and one range for a file however it came", () =>
  withLayers([[file("a", LARGE), file("b", "b")]], {}, (applied) => {
    const { skeletonPath } = applied.layers[0]!;
    assert(Deno.statSync(skeletonPath).size < 1000);
    const kinds = read(skeletonPath).map(({ kind }) => kind);
    const one = ["literal", "file", "content", "checksum"];
    assertEquals(kinds, [...one, ...one, "literal", "end"]);
    return Promise.resolve();
  }));

for (
  const [name, members] of Object.entries({
    "a file twice": [file("a", "one"), file("a", "two")],
    "a file that becomes a symlink": [file("a", "one"), symlink("a", "b")],
    "a file that becomes a directory": [file("a", "one"), dir("a")],
    "a directory with a file that becomes a file": [file("a/b", "one"), file("a", "two")],
    "a file twice, once behind a symlink": [
      dir("d"),
      symlink("l", "d"),
      file("d/a", "one"),
      file("l/a", "two"),
    ],
  })
) {
  Deno.test(`${name}: cannot be verified, and says so`, () =>
    withLayers([members], {}, async (applied) => {
      const [verdict] = await verify(applied);
      assert(verdict?.status === "unverifiable", verdict?.status);
      assert(verdict.reason.includes("the layer itself replaces"), verdict.reason);
      const kinds = read(applied.layers[0]!.skeletonPath).map(({ kind }) => kind);
      assertEquals(kinds, ["unverifiable", "end"]);
    }));
}

Deno.test("a lower layer's file replaced is no obstacle", () =>
  withLayers(
    [[file("a", "one"), file("d/x", "x")], [file("a", "two"), file("d", "file")]],
    {},
    async (applied) => {
      const verdicts = await verify(applied);
      assertEquals(verdicts[1], { status: "ok" });
    },
  ));

Deno.test("after an error no skeleton is left", () =>
  withLayers([], {}, (applied) => {
    const broken = [file("a", "x"), file("bad", "x", { checksumError: 1 })];
    const error = assertThrows(() => applyAll(applied, [broken], {}), LayerfsError);
    assertEquals(error.code, "image-invalid");
    assertEquals([...Deno.readDirSync(applied.dir)].map(({ name }) => name).sort(), [
      "root",
      "scratch",
    ]);
    return Promise.resolve();
  }));

Deno.test("numbers come back, and take 8 bytes at most", () =>
  withLayers([[]], {}, () => {
    for (const value of [0, 127, 128, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
      const bytes = new Uint8Array(10);
      const end = putNumber(bytes, 0, value);
      assert(end <= 8);
      const read = bytes.subarray(0, end).reduceRight((sum, byte) => sum * 128 + byte % 128, 0);
      assertEquals(read, value);
    }
    return Promise.resolve();
  }));

Deno.test("what is no skeleton is refused", async () => {
  const dir = await Deno.makeTempDir({ prefix: "layerfs-skeleton-" });
  try {
    for (const text of ["", "layerfs-skeleton 2\n", `layerfs-skeleton 1\n\0${RECORD.end}`]) {
      Deno.writeTextFileSync(`${dir}/s`, text);
      const error = assertThrows(() => read(`${dir}/s`), LayerfsError);
      assertEquals(error.code, "image-invalid");
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
