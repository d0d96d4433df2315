/** Layers applied in this thread: every kind of entry, byte ranges, progress, rootless records. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { LayerApplier } from "../../src/layer/apply.ts";
import { Tree } from "../../src/layer/tree.ts";
import { type LayerBlob, unpackLayer, type UnpackResult } from "../../src/layer/unpack.ts";
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
  results: UnpackResult[];
  deltas: number[];
}

interface Options {
  asRoot?: boolean;
  isCancelled?: () => boolean;
  compression?: "none" | "gzip" | "zstd";
  engine?: "wasm" | "native";
  change?: (blob: LayerBlob) => LayerBlob;
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
    apply(applied, layers, o);
    await use(applied);
  } finally {
    const closed = ["-type", "d", "!", "-perm", "-700"];
    await output("find", [top, ...closed, "-exec", "chmod", "u+rwx", "{}", ";"]);
    await Deno.remove(top, { recursive: true });
  }
}

function apply(to: Applied, layers: readonly (readonly Uint8Array[])[], o: Options): void {
  const tree = new Tree(to.root, `${to.dir}/scratch`, o.asRoot ?? IS_ROOT);
  try {
    layers.forEach((members, i) => {
      const tar = tarball(members);
      const bytes = compress(tar, o.compression ?? "none");
      const path = `${to.dir}/${i}.blob`;
      // A range of a larger file, as in an archive that is read in place.
      Deno.writeFileSync(path, concat([new Uint8Array(777), bytes, new Uint8Array(99)]));
      const blob = {
        location: { path, offset: 777, length: bytes.length },
        digest: parseDigest(digestOf(bytes)),
        size: bytes.length,
        diffId: parseDigest(digestOf(tar)),
      };
      to.results.push(unpackLayer(
        o.change?.(blob) ?? blob,
        (scanner) => new LayerApplier(tree, scanner, (warning) => to.warnings.push(warning)),
        {
          engine: o.engine ?? "wasm",
          onBytes: (delta) => to.deltas.push(delta),
          isCancelled: o.isCancelled ?? (() => false),
        },
      ));
    });
    tree.finish();
    to.warnings.push(...tree.special.warnings);
  } finally {
    tree.special.close();
  }
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
    apply(applied, LAYERS.slice(1), {});
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
  let asked = 0;
  const layers = [[file("a", new Uint8Array(5_000_000))]];
  await withApplied([], {}, (applied) => {
    const error = assertThrows(
      () => apply(applied, layers, { isCancelled: () => ++asked > 2 }),
      LayerfsError,
    );
    assertEquals(error.code, "interrupted");
    assertEquals(applied.deltas.length, 2);
    return Promise.resolve();
  });
});

/** Registers a test: the changed blob is refused with this code. */
function refused(name: string, code: string, change: (blob: LayerBlob) => LayerBlob): void {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    Deno.test(`refused: ${name}, ${compression}`, () =>
      withApplied([], {}, (applied) => {
        const error = assertThrows(
          () => apply(applied, LAYERS, { change, compression }),
          LayerfsError,
        );
        assertEquals(error.code, code);
        return Promise.resolve();
      }));
  }
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
function damage(blob: LayerBlob): LayerBlob {
  const bytes = Deno.readFileSync(blob.location.path);
  bytes[blob.location.offset + 5]! ^= 0xff;
  Deno.writeFileSync(blob.location.path, bytes);
  return blob;
}
refused("a damaged blob", "digest-mismatch", damage);
refused("a wrong size", "size-mismatch", (blob) => ({ ...blob, size: (blob.size ?? 0) + 1 }));
refused("a range past the end of the file", "size-mismatch", (blob) => ({
  ...blob,
  size: null,
  location: { ...blob.location, length: blob.location.length + 100 },
}));
refused("a file that is not there", "not-found", (blob) => ({
  ...blob,
  location: { ...blob.location, path: blob.location.path + ".none" },
}));

Deno.test("no digest and no size are needed", () =>
  withApplied(LAYERS, {
    compression: "gzip",
    change: (blob) => ({ ...blob, digest: null, size: null, diffId: null }),
  }, ({ root }) => assertTree(root, TREE)));
