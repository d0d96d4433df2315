import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import crypto from "node:crypto";
import zlib from "node:zlib";
import {
  createDecompressor,
  type Decompressor,
  detectCompression,
} from "../../src/blob/decompress.ts";
import { LayerfsError } from "../../src/errors.ts";

const RANDOM = crypto.randomBytes(3000);
const REPETITIVE = Buffer.alloc(20_000, "layer");
const SKIPPABLE = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

/** Decompresses `input`, fed in pieces of `step` bytes, through an output of `room` bytes. */
function decompress(kind: "gzip" | "zstd", input: Uint8Array, step = 1000, room = 4096): Buffer {
  const decompressor: Decompressor = createDecompressor(kind);
  const output = new Uint8Array(room);
  const parts: Uint8Array[] = [];
  try {
    for (let start = 0; start < input.length; start += step) {
      const piece = input.slice(start, start + step);
      for (let offset = 0, full = false; offset < piece.length || full;) {
        const { consumed, produced } = decompressor.write(piece, offset, output);
        parts.push(output.slice(0, produced));
        offset += consumed;
        full = produced === room;
      }
    }
    decompressor.end();
  } finally {
    decompressor.close();
  }
  return Buffer.concat(parts);
}

const compress = {
  gzip: (bytes: Uint8Array) => zlib.gzipSync(bytes),
  zstd: (bytes: Uint8Array) => zlib.zstdCompressSync(bytes),
};

for (const kind of ["gzip", "zstd"] as const) {
  const first = compress[kind](RANDOM);
  const second = compress[kind](REPETITIVE);
  const both = Buffer.concat([first, second]);
  const plain = Buffer.concat([RANDOM, REPETITIVE]);

  Deno.test(`${kind}: two members or frames, split everywhere`, () => {
    for (let step = 1; step <= both.length; step += step < 100 ? 1 : 61) {
      assertEquals(decompress(kind, both, step).equals(plain), true, `pieces of ${step}`);
    }
    assertEquals(decompress(kind, both, first.length).equals(plain), true, "split between them");
    assertEquals(decompress(kind, both, 500, 7).equals(plain), true, "output of 7 bytes");
  });

  Deno.test(`${kind}: a stream cut anywhere is refused`, () => {
    for (let end = 0; end < both.length; end += end > first.length ? 1 : 41) {
      if (end === first.length) continue;
      assertThrows(
        () => decompress(kind, both.subarray(0, end)),
        LayerfsError,
        "Cannot decompress",
      );
    }
  });

  Deno.test(`${kind}: bytes of something else behind it are refused`, () => {
    for (const tail of ["x", "garbage", "\0\0\0x", "\x1f", "\x1f\x8b"]) {
      const input = Buffer.concat([first, Buffer.from(tail, "latin1")]);
      for (const step of [1, 100, input.length]) {
        assertThrows(() => decompress(kind, input, step), LayerfsError, "Cannot decompress");
      }
    }
  });
}

Deno.test("gzip: a damaged byte is refused, or changes nothing", () => {
  const intact = zlib.gzipSync(REPETITIVE);
  let refused = 0;
  for (let at = 10; at < intact.length; at++) {
    const damaged = Buffer.from(intact);
    damaged[at]! ^= 0x55;
    try {
      assertEquals(decompress("gzip", damaged).equals(REPETITIVE), true, `byte ${at}`);
    } catch (error) {
      if (!(error instanceof LayerfsError)) throw error;
      refused++;
    }
  }
  assert(refused > (intact.length - 10) / 2, `${refused} refused`);
});

Deno.test("gzip: zero bytes behind the last member are padding", () => {
  const input = Buffer.concat([zlib.gzipSync(RANDOM), Buffer.alloc(700)]);
  for (const step of [1, 100, input.length]) {
    assertEquals(decompress("gzip", input, step).equals(RANDOM), true);
  }
});

Deno.test("zstd: skippable frames before, between and after", () => {
  const a = zlib.zstdCompressSync(RANDOM);
  const b = zlib.zstdCompressSync(REPETITIVE);
  const input = Buffer.concat([SKIPPABLE, a, SKIPPABLE, SKIPPABLE, b, SKIPPABLE]);
  for (const step of [1, 13, input.length]) {
    assertEquals(decompress("zstd", input, step).equals(Buffer.concat([RANDOM, REPETITIVE])), true);
  }
});

Deno.test("zstd: a frame with a checksum", () => {
  const { ZSTD_c_checksumFlag } = zlib.constants as unknown as Record<string, number>;
  const params = { [ZSTD_c_checksumFlag!]: 1 };
  const input = zlib.zstdCompressSync(REPETITIVE, { params });
  assertEquals(decompress("zstd", input, 5).equals(REPETITIVE), true);
  const damaged = Buffer.from(input);
  damaged[damaged.length - 1]! ^= 1;
  assertThrows(() => decompress("zstd", damaged), LayerfsError, "Cannot decompress");
});

Deno.test("detectCompression goes by the magic number", () => {
  assertEquals(detectCompression(zlib.gzipSync("x")), "gzip");
  assertEquals(detectCompression(zlib.zstdCompressSync(Buffer.from("x"))), "zstd");
  assertEquals(detectCompression(SKIPPABLE), "zstd");
  assertEquals(detectCompression(Buffer.from("some/file")), "none");
  assertEquals(detectCompression(new Uint8Array(0)), "none");
  assertEquals(detectCompression(new Uint8Array([0x1f])), "none");
});
