/** Sparse files in all four notations, whole and damaged. */

import { assertEquals } from "@std/assert";
import { imageLayout } from "../fixtures/image.ts";
import {
  concat,
  file,
  member,
  type Options,
  padded,
  pax,
  paxRecords,
  tarball,
  type Text,
} from "../fixtures/tar.ts";
import { assertTree, f, output } from "../fixtures/tree.ts";
import {
  create,
  GOOD_LAYER,
  layersBecome,
  rejects,
  rejectsLayer,
  withWorkspace,
} from "./harness.ts";

/** Regions of data: offset and text. */
type Regions = readonly (readonly [number, string])[];

const REGIONS: Regions = [[0, "head"], [600, "middle"], [5000, "end"]];
const SIZE = 6000;

/** The file that regions make. */
function whole(regions: Regions, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const [offset, text] of regions) bytes.set(new TextEncoder().encode(text), offset);
  return bytes;
}

const stored = REGIONS.map(([, text]) => text).join("");
const pairs = REGIONS.map(([offset, text]) => [offset, text.length]);
const content = f(whole(REGIONS, SIZE));

/** Version 0.0: a pair of records a region. */
function version00(regions: readonly (readonly (number | string)[])[], more = {}): Uint8Array[] {
  const records = regions.map(([offset, length]) =>
    concat([
      paxRecords({ "GNU.sparse.offset": String(offset) }),
      paxRecords({ "GNU.sparse.numbytes": String(length) }),
    ])
  );
  const head = { "GNU.sparse.size": String(SIZE), "GNU.sparse.numblocks": String(regions.length) };
  return [pax(concat([paxRecords({ ...head, ...more }), ...records])), file("s", stored)];
}

/** Version 0.1: one record has the map. */
function version01(map: string, more: Record<string, Text> = {}): Uint8Array[] {
  const records = {
    "GNU.sparse.size": String(SIZE),
    "GNU.sparse.name": "s",
    "GNU.sparse.map": map,
  };
  return [pax(paxRecords({ ...records, ...more })), file("GNUSparseFile.1/s", stored)];
}

/** Version 1.0: the map stands before the data. */
function version10(map: string, more: Record<string, Text> = {}): Uint8Array[] {
  const records = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": "s",
    "GNU.sparse.realsize": String(SIZE),
    ...more,
  };
  const data = concat([padded(new TextEncoder().encode(map)), new TextEncoder().encode(stored)]);
  return [pax(paxRecords(records)), file("GNUSparseFile.1/s", data)];
}

function octal(value: number): string {
  return value.toString(8).padStart(11, "0") + "\0";
}

/** Old GNU: type "S", four regions in the header, more in blocks behind it. */
function oldGnu(regions: readonly (readonly number[])[], data: string, size: number): Uint8Array[] {
  const slots = regions.map(([offset = 0, length = 0]) => octal(offset) + octal(length));
  const options: Options = {
    format: "gnu",
    size: data.length,
    fields: {
      sparse: slots.slice(0, 4).join(""),
      isextended: slots.length > 4 ? "\x01" : "",
      realsize: octal(size),
    },
  };
  const header = member("s", "S", "", options);
  const blocks = [];
  for (let at = 4; at < slots.length; at += 21) {
    const block = new Uint8Array(512);
    block.set(new TextEncoder().encode(slots.slice(at, at + 21).join("")));
    if (at + 21 < slots.length) block[504] = 1;
    blocks.push(block);
  }
  return [header, ...blocks, padded(new TextEncoder().encode(data))];
}

const flat = pairs.flat().join(",");
const lines = [pairs.length, ...pairs.flat()].join("\n") + "\n";
layersBecome("sparse 0.0", [[...version00(pairs), file("z", "z")]], { s: content, z: f("z") });
layersBecome("sparse 0.1", [[...version01(flat), file("z", "z")]], { s: content, z: f("z") });
layersBecome("sparse 1.0", [[...version10(lines), file("z", "z")]], { s: content, z: f("z") });
layersBecome("sparse of the old GNU kind", [[...oldGnu(pairs, stored, SIZE), file("z", "z")]], {
  s: content,
  z: f("z"),
});
const many: Regions = Array.from({ length: 60 }, (_, i) => [i * 100, String(i % 10)]);
layersBecome("sparse of the old GNU kind, with more blocks", [[
  ...oldGnu(many.map(([offset]) => [offset, 1]), many.map(([, text]) => text).join(""), SIZE),
  file("z", "z"),
]], { s: f(whole(many, SIZE)), z: f("z") });
layersBecome("sparse, and nothing but a hole", [[
  pax({ "GNU.sparse.map": "6000,0", "GNU.sparse.size": "6000", "GNU.sparse.name": "s" }),
  file("GNUSparseFile.1/s"),
]], { s: f(new Uint8Array(6000)) });
layersBecome("sparse, written by tar", [[
  ...version01(flat, { mtime: "1.000000001", "SCHILY.xattr.user.a": "b" }),
]], { s: { ...content, mtime: "1.000000001", xattrs: { "user.a": "0x62" } } });

rejectsLayer("sparse regions that overlap", version01("0,4,2,6,5000,3"), []);
rejectsLayer("sparse regions that go back", version01("600,6,0,4,5000,3"), []);
rejectsLayer("sparse region past the size", version01("0,4,600,6,5999,3"), ['"s"']);
rejectsLayer("sparse region past 2^63", version01("0,4,600,6,9223372036854775807,3"), []);
rejectsLayer("sparse map of more than is stored", version01("0,4,600,60,5000,3"), ['"s"']);
rejectsLayer("sparse map of less than is stored", version01("0,4,600,6"), ['"s"']);
rejectsLayer("sparse map with half a pair", version01("0,4,600,6,5000"), []);
rejectsLayer("sparse map of letters", version01("0,a"), []);
rejectsLayer("sparse map with a negative offset", version01("-1,4,600,6,5000,3"), []);
rejectsLayer("sparse without a size", [
  pax({ "GNU.sparse.map": flat }),
  file("s", stored),
], ['"s"']);
rejectsLayer("sparse 0.0 with a wrong count", version00(pairs, { "GNU.sparse.numblocks": "9" }), [
  '"s"',
]);
rejectsLayer("sparse 0.0 with an offset alone", [
  pax(concat([
    paxRecords({ "GNU.sparse.size": "9" }),
    paxRecords({ "GNU.sparse.offset": "0" }),
  ])),
  file("s"),
], []);
rejectsLayer("sparse of an unknown version", version10(lines, { "GNU.sparse.minor": "7" }), [
  '"s"',
]);
rejectsLayer("sparse 1.0 without a map", version10(""), ['"s"']);
rejectsLayer("sparse 1.0 with an endless number", version10("9".repeat(200)), ['"s"']);
rejectsLayer("sparse 1.0 with a count past all memory", version10("99999999999\n"), ['"s"']);
rejectsLayer("sparse 1.0 with a map past its data", version10("100\n0\n1\n"), ['"s"']);
rejectsLayer("sparse of the old GNU kind that overlaps", oldGnu([[0, 4], [2, 6]], stored, SIZE), [
  '"s"',
]);
rejectsLayer("sparse of the old GNU kind in a ustar header", [
  member("s", "S", "", { fields: { realsize: octal(5) } }),
], ['"s"']);
rejects("sparse blocks without an end", {
  layers: [{ tar: tarball(GOOD_LAYER) }, {
    tar: tarball([
      member("s", "S", "", { format: "gnu", fields: { isextended: "\x01", realsize: octal(5) } }),
    ], 0),
  }],
}, { code: "image-invalid", layer: 1 });
rejectsLayer("sparse map for a directory", [
  pax({ "GNU.sparse.map": "0,0", "GNU.sparse.size": "0" }),
  member("s", "5"),
], ['"s"']);

for (
  const [name, args] of [
    ["gnu", ["--format=gnu"]],
    ["0.0", ["--format=posix", "--sparse-version=0.0"]],
    ["0.1", ["--format=posix", "--sparse-version=0.1"]],
    ["1.0", ["--format=posix", "--sparse-version=1.0"]],
  ] as const
) {
  Deno.test(`accepted: a sparse file as GNU tar packs it, ${name}`, () =>
    withWorkspace(async (w) => {
      const path = `${w.dir}/sparse`;
      const source = await Deno.open(path, { write: true, createNew: true, mode: 0o644 });
      await source.truncate(1_000_000);
      for (let at = 0; at < 1_000_000; at += 131_072) {
        await source.seek(at, Deno.SeekMode.Start);
        await source.write(new TextEncoder().encode(`data at ${at}`));
      }
      source.close();
      await Deno.utime(path, 1_000_000_000, 1_000_000_000);
      const tar = await output("tar", [
        "--create",
        "--sparse",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        `--directory=${w.dir}`,
        ...args,
        "sparse",
      ]);
      assertEquals(tar.length < 500_000, true, "GNU tar did not store it as sparse");
      const image = imageLayout(`${w.dir}/image`, { layers: [{ tar: tarball([tar]) }] });
      const { rootfs } = await create(w, image.reference);
      await assertTree(rootfs, { sparse: f(await Deno.readFile(path)) });
    }));
}
