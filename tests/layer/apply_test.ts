/** Layers applied: every kind of entry, files and streams, progress, rootless records. */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import type { BlobContent, BlobStream } from "../../src/blob/content.ts";
import type { BlobLocation } from "../../src/blob/location.ts";
import { applyLayers } from "../../src/layer/apply_layers.ts";
import type { LayerBytes, LayerSource } from "../../src/layer/layer_source.ts";
import { NO_TRAITS } from "../../src/layer/traits.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { compress, digestOf } from "../fixtures/image.ts";
import {
  character,
  concat,
  dir,
  fifo,
  file,
  hardlink,
  opaque,
  symlink,
  tarball,
  whiteout,
} from "../fixtures/tar.ts";
import { assertTree, d, f, implied, IS_ROOT, l, output, p } from "../fixtures/tree.ts";

interface Applied {
  dir: string;
  root: string;
  warnings: string[];
  results: LayerBytes[];
  deltas: number[];
}

interface Options {
  asRoot?: boolean;
  /** Called after each piece that was read. */
  onBytes?: () => void;
  signal?: AbortSignal;
  /** Where the blobs come from; ranges of files where it is absent. */
  from?: "stream";
  compression?: "none" | "gzip" | "zstd";
  engine?: "wasm" | "native";
  change?: (blob: LayerSource) => LayerSource;
}

/** Applies layers to a new directory and hands the result to `use`. */
async function withApplied(
  layers: readonly (readonly Uint8Array[])[],
  o: Options,
  use: (applied: Applied) => Promise<void>,
): Promise<void> {
  const top = await Deno.makeTempDir({ prefix: "layerfs-apply-" });
  const applied = { dir: top, root: `${top}/root`, warnings: [], results: [], deltas: [] };
  await Deno.mkdir(applied.root);
  await Deno.mkdir(`${top}/scratch`);
  try {
    await apply(applied, layers, o);
    await use(applied);
  } finally {
    const closed = ["-type", "d", "!", "-perm", "-700"];
    await output("find", [top, ...closed, "-exec", "chmod", "u+rwx", "{}", ";"]);
    await Deno.remove(top, { recursive: true });
  }
}

async function apply(
  to: Applied,
  layers: readonly (readonly Uint8Array[])[],
  o: Options,
): Promise<void> {
  const sources = layers.map((members, i) => {
    const tar = tarball(members);
    const bytes = compress(tar, o.compression ?? "none");
    const blob: LayerSource = {
      content: o.from === "stream" ? streamOf(bytes) : rangeOf(`${to.dir}/${i}.blob`, bytes),
      digest: parseDigest(digestOf(bytes)),
      size: bytes.length,
      diffId: parseDigest(digestOf(tar)),
    };
    return o.change?.(blob) ?? blob;
  });
  const job = {
    root: to.root,
    scratch: `${to.dir}/scratch`,
    layers: sources,
    engine: o.engine ?? "wasm",
    asRoot: o.asRoot ?? IS_ROOT,
    traits: NO_TRAITS,
  };
  const signal = o.signal ?? new AbortController().signal;
  const result = await applyLayers(job, signal, (event) => {
    if (event.type !== "bytes") return;
    to.deltas.push(event.delta);
    o.onBytes?.();
  });
  to.results.push(...result.layers);
  to.warnings.push(...result.warnings);
}

/** A range of a larger file, as in an archive that is read in place. */
function rangeOf(path: string, bytes: Uint8Array): BlobLocation {
  Deno.writeFileSync(path, concat([new Uint8Array(777), bytes, new Uint8Array(99)]));
  return { path, offset: 777, length: bytes.length };
}

/** Pieces of odd lengths. */
function streamOf(bytes: Uint8Array): BlobStream {
  return {
    length: bytes.length,
    open: async function* () {
      for (let at = 0, length = 1; at < bytes.length; at += length, length = length * 3 + 1) {
        await Promise.resolve();
        yield bytes.slice(at, at + length);
      }
    },
  };
}

const LAYERS = [
  [
    dir("./", { mode: 0o711, mtime: 3 }),
    dir("d", { mode: 0o750, uid: 1, gid: 2, mtime: 4 }),
    file("d/a", "a", { mode: 0o640, uid: 3, mtime: 5 }),
    file("d/x", "x", { pax: { mtime: "6.000000007", "SCHILY.xattr.user.k": "v" } }),
    hardlink("h", "d/x"),
    symlink("s", "d/a", { uid: 8 }),
    symlink("t", "nowhere", { pax: { mtime: "9.000000001" } }),
    fifo("p", { mode: 0o600 }),
    file("gone", "gone"),
    file("o/lower", "lower"),
  ],
  [
    whiteout("gone"),
    file("o/upper", "upper"),
    opaque("o"),
    file("d/b", "b"),
    file("i/j/k", "k"),
    file("s", "over"),
  ],
];
const TREE = {
  "": d({ mode: 0o711, mtime: "3" }),
  d: d({ mode: 0o750, owner: "1:2", mtime: "4" }),
  "d/a": f("a", { mode: 0o640, owner: "3:0", mtime: "5" }),
  "d/b": f("b"),
  "d/x": f("x", { mtime: "6.000000007", xattrs: { "user.k": "v" }, links: ["d/x", "h"] }),
  h: f("x", { mtime: "6.000000007", xattrs: { "user.k": "v" }, links: ["d/x", "h"] }),
  i: implied(),
  "i/j": implied(),
  "i/j/k": f("k"),
  o: implied(),
  "o/upper": f("upper"),
  p: p({ mode: 0o600 }),
  s: f("over"),
  t: l("nowhere", { mtime: "9.000000001" }),
};

for (const compression of ["none", "gzip", "zstd"] as const) {
  for (const engine of ["wasm", "native"] as const) {
    Deno.test(`layers of ${compression} become a tree, digests by ${engine}`, () =>
      withApplied(LAYERS, { compression, engine }, async (applied) => {
        await assertTree(applied.root, TREE);
        assertEquals(applied.warnings, []);
        assertEquals([...Deno.readDirSync(`${applied.dir}/scratch`)], []);
        const tars = LAYERS.map((members) => tarball(members));
        const sizes = tars.map((tar) => compress(tar, compression).length);
        assertEquals(applied.results.map((result) => result.compressed), sizes);
        assertEquals(
          applied.results.map((result) => result.uncompressed),
          tars.map((t) => t.length),
        );
        const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
        assertEquals(sum(applied.deltas), sum(sizes));
      }));
  }
}

Deno.test("a second run on a tree with its lower layers keeps what they had", () =>
  withApplied(LAYERS.slice(0, 1), {}, async (applied) => {
    await apply(applied, LAYERS.slice(1), {});
    await assertTree(applied.root, TREE);
  }));

Deno.test("without root, owners are recorded, devices skipped, foreign xattrs dropped", () =>
  withApplied(
    [[
      file("f", "x", { uid: 1000, gid: 100, mode: 0o444 }),
      dir("d", { gid: 300 }),
      file("plain", ""),
      character("null", 1, 3),
      file("cap", "", {
        pax: { "SCHILY.xattr.security.capability": "x", "SCHILY.xattr.user.a": "b" },
      }),
    ]],
    { asRoot: false },
    async ({ root, warnings }) => {
      const args = ["-R", "-d", "-m", "-", "-e", "hex", "--absolute-names", root];
      const text = new TextDecoder().decode(await output("getfattr", args));
      const found = text.trim().split("\n\n").sort().map((block) =>
        block.replaceAll(root + "/", "")
      );
      assertEquals(found, [
        "# file: cap\nuser.a=0x62",
        "# file: d\nuser.rootlesscontainers=0x10ac02",
        "# file: f\nuser.rootlesscontainers=0x08e8071064",
      ]);
      const { mode } = await Deno.lstat(`${root}/f`);
      assertEquals((mode ?? 0) & 0o7777, 0o444);
      assertEquals([...Deno.readDirSync(root)].map(({ name }) => name).sort(), [
        "cap",
        "d",
        "f",
        "plain",
      ]);
      assertEquals(warnings.length, 2);
      assertStringIncludes(warnings[0] ?? "", '"null"');
      assertStringIncludes(warnings[1] ?? "", "security.capability");
    },
  ));

Deno.test("cancelling ends the work with interrupted", async () => {
  const layers = [[file("a", new Uint8Array(30_000_000))]];
  for (const from of [undefined, "stream"] as const) {
    await withApplied([], {}, async (applied) => {
      const abort = new AbortController();
      const o = { signal: abort.signal, onBytes: () => abort.abort(), from };
      const error = await assertRejects(() => apply(applied, layers, o), LayerfsError);
      assertEquals(error.code, "interrupted");
    });
  }
});

Deno.test("work that is cancelled before it begins does not begin", () =>
  withApplied([], {}, async (applied) => {
    const run = () => apply(applied, LAYERS, { signal: AbortSignal.abort() });
    assertEquals((await assertRejects(run, LayerfsError)).code, "interrupted");
    assertEquals([...Deno.readDirSync(applied.root)], []);
  }));

for (const compression of ["none", "gzip", "zstd"] as const) {
  Deno.test(`blobs of ${compression} come from streams as well, many of them`, () => {
    const many = Array.from({ length: 9 }, (_, i) => [file(`f${i}`, new Uint8Array(700_000 * i))]);
    const files = many.map((_, i) => [`f${i}`, f("\0".repeat(700_000 * i))]);
    return withApplied([...many, ...LAYERS], { compression, from: "stream" }, async (applied) => {
      await assertTree(applied.root, { ...TREE, ...Object.fromEntries(files) });
      assertEquals(applied.results.length, many.length + LAYERS.length);
    });
  });
}

Deno.test("a stream that fails is what has failed, whatever was read of it", () =>
  withApplied([], {}, async (applied) => {
    const failing = {
      length: 3_000_000,
      open: async function* () {
        yield await Promise.resolve(tarball([file("a", new Uint8Array(2_000_000))]));
        throw new LayerfsError("not-found", "the registry is gone");
      },
    };
    const change = (blob: LayerSource): LayerSource => ({
      ...blob,
      content: failing,
      size: failing.length,
    });
    const error = await assertRejects(() => apply(applied, LAYERS, { change }), LayerfsError);
    assertEquals(error.code, "not-found");
    assertStringIncludes(error.message, "Cannot apply layer 1 of 2");
  }));

Deno.test("a blob is read no further than somebody wants it", () =>
  withApplied([], {}, async (applied) => {
    let pieces = 0;
    const open = async function* () {
      for (; pieces < 1000; pieces++) {
        yield await Promise.resolve(new Uint8Array(1_000_000).fill(7));
      }
    };
    const change = (blob: LayerSource): LayerSource => ({
      ...blob,
      content: { length: 1_000_000_000, open },
      digest: null,
      diffId: null,
      size: null,
    });
    const error = await assertRejects(() => apply(applied, LAYERS, { change }), LayerfsError);
    assertEquals(error.code, "image-invalid");
    assertEquals(pieces < 100, true, `${pieces} pieces`);
  }));

/** Registers a test: the changed blob is refused with this code. */
function refused(name: string, code: string, change: (blob: LayerSource) => LayerSource): void {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    Deno.test(`refused: ${name}, ${compression}`, () =>
      withApplied([], {}, async (applied) => {
        const error = await assertRejects(
          () => apply(applied, LAYERS, { change, compression }),
          LayerfsError,
        );
        assertEquals(error.code, code);
      }));
  }
}
/** Changes where a blob is, which is in a file. */
function moved(blob: LayerSource, change: (from: BlobLocation) => BlobContent): LayerSource {
  return { ...blob, content: change(blob.content as BlobLocation) };
}
const WRONG = `sha256:${"0".repeat(64)}` as Digest;
refused("a wrong digest", "digest-mismatch", (blob) => ({ ...blob, digest: WRONG }));
refused("a wrong diffID", "digest-mismatch", (blob) => ({ ...blob, diffId: WRONG }));
refused("only a diffID, a wrong one", "digest-mismatch", (blob) => ({
  ...blob,
  digest: null,
  size: null,
  diffId: WRONG,
}));
/** The first header of a plain tar is damaged by it, or the frame of a compressed one. */
function damage(blob: LayerSource): LayerSource {
  return moved(blob, (from) => {
    const bytes = Deno.readFileSync(from.path);
    bytes[from.offset + 5]! ^= 0xff;
    Deno.writeFileSync(from.path, bytes);
    return from;
  });
}
refused("a damaged blob", "digest-mismatch", damage);
refused("a wrong size", "size-mismatch", (blob) => ({ ...blob, size: (blob.size ?? 0) + 1 }));
refused(
  "a range past the end of the file",
  "size-mismatch",
  (blob) => moved({ ...blob, size: null }, (from) => ({ ...from, length: from.length + 100 })),
);
refused(
  "a file that is not there",
  "not-found",
  (blob) => moved(blob, (from) => ({ ...from, path: `${from.path}.none` })),
);

Deno.test("no digest and no size are needed", () =>
  withApplied(LAYERS, {
    compression: "gzip",
    change: (blob) => ({ ...blob, digest: null, size: null, diffId: null }),
  }, ({ root }) => assertTree(root, TREE)));
