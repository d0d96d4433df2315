import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { LayerfsError } from "../../src/errors.ts";
import {
  algorithmName,
  digestAlgorithm,
  digestHex,
  digestProblem,
  isSupported,
  parseDigest,
} from "../../src/oci/digest.ts";
import { testRejections } from "./documents.ts";

const HEX64 = createHash("sha256").update("x").digest("hex");
const HEX128 = createHash("sha512").update("x").digest("hex");

Deno.test("digests of every registered algorithm are read", () => {
  for (const text of [`sha256:${HEX64}`, `sha512:${HEX128}`, `blake3:${HEX64}`]) {
    const digest: string = parseDigest(text);
    assertEquals(digest, text);
  }
  assertEquals(digestHex(parseDigest(`sha512:${HEX128}`)), HEX128);
  assertEquals(digestAlgorithm(parseDigest(`sha512:${HEX128}`)), "sha512");
  assertEquals(digestAlgorithm(parseDigest(`sha256:${HEX64}`)), "sha256");
});

Deno.test("unknown algorithms pass, until their content is to be read", () => {
  const texts = [
    "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
    "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564",
    "a.b_c-d+e:A=_-",
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    `blake3:${HEX64}`,
  ];
  for (const text of texts) {
    const digest = parseDigest(text);
    assert(!isSupported(digest), text);
    const error = assertThrows(() => digestAlgorithm(digest), LayerfsError, algorithmName(digest));
    assertEquals(error.code, "unsupported");
  }
  assert(isSupported(parseDigest(`sha256:${HEX64}`)));
  assert(isSupported(parseDigest(`sha512:${HEX128}`)));
});

const wrong: readonly [string, string][] = [
  ["empty", ""],
  ["no colon", HEX64],
  ["no algorithm", `:${HEX64}`],
  ["no encoded part", "sha256:"],
  ["uppercase hex", `sha256:${HEX64.toUpperCase()}`],
  ["uppercase algorithm", `SHA256:${HEX64}`],
  ["sha256, one digit short", `sha256:${HEX64.slice(1)}`],
  ["sha256, one digit more", `sha256:${HEX64}0`],
  ["sha256, not hex", `sha256:${"g".repeat(64)}`],
  ["sha512 of the length of sha256", `sha512:${HEX64}`],
  ["sha512, uppercase hex", `sha512:${HEX128.toUpperCase()}`],
  ["blake3 of the length of sha512", `blake3:${HEX128}`],
  ["two colons", `sha256:${HEX64}:`],
  ["new line at the end", `sha256:${HEX64}\n`],
  ["unknown algorithm, new line", "md5:abc\n"],
  ["path out of the blobs", "sha256:../../../etc/passwd"],
  ["path in the algorithm", "../x:abc"],
  ["slash", "md5:a/b"],
  ["dot in the encoded part", "md5:.."],
  ["separator at the start", "+a:b"],
  ["separator at the end", "a+:b"],
  ["two separators", "a..b:c"],
  ["NUL", "md5:a\0b"],
];
testRejections(
  "a digest",
  "image-invalid",
  wrong.map(([name, text]) => [name, () => parseDigest(text), "Cannot read digest:"]),
);

Deno.test("the check says what a digest should be", () => {
  assertEquals(digestProblem(`sha256:${HEX64}`), null);
  assertEquals(digestProblem("sha256:AB"), '"sha256:" and 64 lowercase hex digits');
  assertEquals(digestProblem("sha512:ab"), '"sha512:" and 128 lowercase hex digits');
  assertEquals(digestProblem("x"), 'a digest, "algorithm:encoded"');
  assertEquals(digestProblem(7), 'a digest, "algorithm:encoded"');
});

Deno.test("a very long digest is judged in linear time", () => {
  const start = performance.now();
  assert(digestProblem("a+".repeat(500_000) + ":") !== null);
  assert(digestProblem("a".repeat(1_000_000)) !== null);
  assert(performance.now() - start < 2_000);
});
