/** Compressed layers: members, frames, damage, bombs; and what does not have its digest or size. */

import { crc32, deflateRawSync, gzipSync, zstdCompressSync } from "node:zlib";
import { compress, type ImageSpec, type LayerSpec, WRONG_DIGEST } from "../fixtures/image.ts";
import { concat, file, tarball } from "../fixtures/tar.ts";
import { f, type Tree } from "../fixtures/tree.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { becomes, GOOD_LAYER, rejects } from "./harness.ts";

const TAR = tarball([file("a", "x"), file("b", "y".repeat(5000))]);
const TREE: Tree = { a: f("x"), b: f("y".repeat(5000)) };
const GZIP = new Uint8Array(gzipSync(TAR));
const ZSTD = new Uint8Array(zstdCompressSync(TAR));
const HALF = TAR.length / 2 + 100;
const zeros = (length: number) => new Uint8Array(length);
const text = (value: string) => new TextEncoder().encode(value);

/** The bytes, one of them changed. */
function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const place = at < 0 ? copy.length + at : at;
  copy[place] = (copy[place] ?? 0) ^ 0xff;
  return copy;
}

function little(value: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Math.floor(value / 256 ** i) % 256);
}

/** A gzip member with all the optional fields of RFC 1952 that `flags` ask for. */
function gzipMember(content: Uint8Array, flags: number, crc16Error = 0): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3)];
  if (flags & 4) parts.push(little(5, 2), text("extra"));
  if (flags & 8) parts.push(text("name\0"));
  if (flags & 16) parts.push(text("comment\0"));
  if (flags & 2) parts.push(little((crc32(concat(parts)) & 0xffff) ^ crc16Error, 2));
  parts.push(deflateRawSync(content), little(crc32(content), 4), little(content.length, 4));
  return concat(parts);
}

function skippable(content: Uint8Array, kind = 0): Uint8Array {
  return concat([little(0x184d2a50 + kind, 4), little(content.length, 4), content]);
}

/** A zstd frame of blocks by hand: window of `log` bits, no checksum, no content size. */
function zstdFrame(blocks: readonly Uint8Array[], log = 20): Uint8Array {
  return concat([little(0xfd2fb528, 4), Uint8Array.of(0, (log - 10) << 3), ...blocks]);
}

/** A zstd block: type 0 raw, 1 one byte many times. */
function zstdBlock(type: number, size: number, content: Uint8Array, last = false): Uint8Array {
  return concat([little((size << 3) | (type << 1) | (last ? 1 : 0), 3), content]);
}

function accepted(name: string, layer: LayerSpec): void {
  becomes(name, { layers: [{ tar: TAR, ...layer }] }, { tree: TREE });
}

accepted("gzip", { blob: GZIP });
accepted("gzip of several members", {
  blob: concat([gzipSync(TAR.subarray(0, HALF)), gzipSync(TAR.subarray(HALF))]),
});
accepted("gzip of several members, empty ones among them", {
  blob: concat([gzipSync(zeros(0)), GZIP, gzipSync(zeros(0))]),
});
accepted("gzip with all optional fields", { blob: gzipMember(TAR, 2 | 4 | 8 | 16) });
accepted("gzip with a checksum of its header", { blob: gzipMember(TAR, 2) });
accepted("gzip with zero bytes behind it", { blob: concat([GZIP, zeros(1000)]) });
accepted("gzip with one zero byte behind it", { blob: concat([GZIP, zeros(1)]) });
accepted("gzip, stored only", { blob: new Uint8Array(gzipSync(TAR, { level: 0 })) });
accepted("zstd", { blob: ZSTD });
accepted("zstd of several frames", {
  blob: concat([zstdCompressSync(TAR.subarray(0, HALF)), zstdCompressSync(TAR.subarray(HALF))]),
});
accepted("zstd with skippable frames", {
  blob: concat([skippable(text("index")), ZSTD, skippable(text("toc"), 15), skippable(zeros(0))]),
});
accepted("zstd with an empty frame", { blob: concat([zstdCompressSync(zeros(0)), ZSTD]) });
accepted("zstd of raw blocks", {
  blob: zstdFrame([zstdBlock(0, TAR.length, TAR, true)]),
});
for (const media of ["tar", "tar+gzip", "tar+zstd"]) {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    accepted(`media type ${media} with content of ${compression}`, {
      compression,
      mediaType: `application/vnd.oci.image.layer.v1.${media}`,
    });
  }
}
becomes("layers of mixed compression and families", {
  layers: (["gzip", "zstd", "none"] as const).map((compression, i) => ({
    tar: tarball([file(`f${i}`, `${i}`)]),
    compression,
    mediaType: i === 1 ? "application/vnd.docker.image.rootfs.diff.tar.zstd" : undefined,
  })),
}, { tree: { f0: f("0"), f1: f("1"), f2: f("2") } });
becomes("non-distributable layers", {
  layers: [{
    tar: TAR,
    blob: GZIP,
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    descriptor: { urls: ["https://example.com/layer"] },
  }],
}, { tree: TREE });

/** Registers a test: the image of a good layer and this one is refused. */
function refused(
  name: string,
  layer: LayerSpec,
  code: ErrorCode = "image-invalid",
  says: readonly string[] = [],
  spec: Partial<ImageSpec> = {},
): void {
  rejects(name, { layers: [{ tar: tarball(GOOD_LAYER) }, { tar: TAR, ...layer }], ...spec }, {
    code,
    says,
    layer: 1,
  });
}

refused("gzip cut off in its content", { blob: GZIP.subarray(0, GZIP.length - 20) });
refused("gzip cut off in its checksum", { blob: GZIP.subarray(0, GZIP.length - 6) });
refused("gzip without its last byte", { blob: GZIP.subarray(0, GZIP.length - 1) });
refused("gzip cut off in its header", { blob: GZIP.subarray(0, 8) });
refused("gzip of three bytes", { blob: GZIP.subarray(0, 3) });
refused("gzip, second member cut off", { blob: concat([GZIP, GZIP.subarray(0, 30)]) });
refused("gzip, second member cut off in its magic", { blob: concat([GZIP, GZIP.subarray(0, 1)]) });
refused("gzip with a wrong CRC", { blob: flipped(GZIP, -8) });
refused("gzip with a wrong length", { blob: flipped(GZIP, -1) });
refused("gzip with a wrong header checksum", { blob: gzipMember(TAR, 2, 1) });
refused("gzip with a reserved flag", { blob: gzipMember(TAR, 32) });
refused("gzip of an unknown method", { blob: flipped(GZIP, 2) });
refused("gzip with damaged content", { blob: flipped(GZIP, 20) });
refused("gzip with text behind it", { blob: concat([GZIP, text("garbage")]) });
refused("gzip with text behind zero bytes", { blob: concat([GZIP, zeros(10), text("garbage")]) });
refused("gzip with text far behind zero bytes", {
  blob: concat([GZIP, zeros(3 * 2 ** 20), text("x")]),
});
refused("gzip with a tar behind it", { blob: concat([GZIP, TAR]) });
refused("gzip with a member behind zero bytes", { blob: concat([GZIP, zeros(7), GZIP]) });
refused("gzip with zstd behind it", { blob: concat([GZIP, ZSTD]) });
refused("zstd cut off", { blob: ZSTD.subarray(0, ZSTD.length - 5) });
refused("zstd without its last byte", { blob: ZSTD.subarray(0, ZSTD.length - 1) });
refused("zstd cut off in its header", { blob: ZSTD.subarray(0, 5) });
refused("zstd, second frame cut off", { blob: concat([ZSTD, ZSTD.subarray(0, 6)]) });
refused("zstd, second frame cut off in its magic", { blob: concat([ZSTD, ZSTD.subarray(0, 2)]) });
refused("zstd with text behind it", { blob: concat([ZSTD, text("garbage")]) });
refused("zstd with zero bytes behind it", { blob: concat([ZSTD, zeros(100)]) });
refused("zstd with gzip behind it", { blob: concat([ZSTD, GZIP]) });
refused("zstd with a skippable frame cut off", {
  blob: concat([ZSTD, skippable(text("toc")).subarray(0, 9)]),
});
refused("zstd with a skippable frame past the end", {
  blob: concat([little(0x184d2a50, 4), little(2 ** 32 - 1, 4), ZSTD]),
});
refused("zstd with damaged content", { blob: flipped(ZSTD, 30) });
refused("zstd with a reserved block", {
  blob: zstdFrame([zstdBlock(3, 1, zeros(1), true)]),
});
refused("zstd that needs a dictionary", {
  blob: concat([little(0xfd2fb528, 4), Uint8Array.of(1, 80, 77), zstdBlock(0, 1, zeros(1), true)]),
});
refused("zstd with a window of 2 TiB", { blob: zstdFrame([zstdBlock(0, 1, zeros(1), true)], 41) });
// 4.5 GiB from 147 kB: zero blocks behind the end of the archive, so that nothing is written.
rejects("a zstd bomb", {
  layers: [{ tar: tarball(GOOD_LAYER) }, {
    blob: zstdFrame([
      ...Array.from({ length: 36_000 }, () => zstdBlock(1, 131_072, zeros(1))),
      zstdBlock(1, 131_072, zeros(1), true),
    ]),
  }],
}, { code: "image-invalid", layer: 1, says: ["expand"], create: { engine: "native" } });
refused("bzip2", { blob: concat([text("BZh91AY&SY"), zeros(600)]) });
refused("xz", { blob: concat([Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), zeros(600)]) });
refused("gzip within gzip", { blob: new Uint8Array(gzipSync(GZIP)) });

for (const compression of ["none", "gzip", "zstd"] as const) {
  const blob = compress(TAR, compression);
  const mismatch = "digest-mismatch";
  refused(`${compression}: a wrong digest`, { blob, digest: WRONG_DIGEST }, mismatch, [
    "0123456789abcdef",
  ]);
  refused(`${compression}: a wrong diffID`, { blob, diffId: WRONG_DIGEST }, mismatch, [
    "diffID",
    "0123456789abcdef",
  ]);
  refused(`${compression}: a size too large`, { blob, size: blob.length + 1 }, "size-mismatch", [
    String(blob.length),
  ]);
  refused(`${compression}: a size too small`, { blob, size: blob.length - 1 }, "size-mismatch", [
    String(blob.length),
  ]);
  refused(`${compression}: a size of zero`, { blob, size: 0 }, "size-mismatch");
  refused(
    `${compression}: one byte changed`,
    {
      blob: flipped(blob, -1 - (compression === "none" ? 0 : 12)),
      digest: `sha256:${"a".repeat(64)}`,
    },
    mismatch,
    [`sha256:${"a".repeat(64)}`],
  );
  becomes(`${compression}: sha512`, {
    algorithm: "sha512",
    layers: [{ tar: TAR, compression }],
  }, { tree: TREE });
  refused(
    `${compression}: a wrong sha512 digest`,
    { blob, digest: `sha512:${"0123456789abcdef".repeat(8)}` },
    mismatch,
    ["sha512:0123456789abcdef"],
    { algorithm: "sha512" },
  );
  refused(
    `${compression}: a wrong sha512 diffID`,
    { blob, diffId: `sha512:${"0123456789abcdef".repeat(8)}` },
    mismatch,
    ["diffID"],
    { algorithm: "sha512" },
  );
}
refused(
  "the layer's diffID is that of its blob",
  {
    blob: GZIP,
    diffId: `sha256:${"e".repeat(64)}`,
  },
  "digest-mismatch",
  ["diffID"],
);
