import { assertEquals, assertThrows } from "@std/assert";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { createHasher, digestBytes } from "../../src/core/hasher.ts";
import type { DigestAlgorithm } from "../../src/oci/digest.ts";

const ALGORITHMS: readonly DigestAlgorithm[] = ["sha256", "sha512"];
const RANDOM = new Uint8Array(randomBytes(300_000));

function oracle(algorithm: DigestAlgorithm, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

for (const algorithm of ALGORITHMS) {
  Deno.test(`${algorithm}: every length to 300 and every split of it`, () => {
    for (let length = 0; length <= 300; length++) {
      const bytes = RANDOM.subarray(0, length);
      const expected = oracle(algorithm, bytes);
      for (let split = 0; split <= length; split++) {
        const hasher = createHasher(algorithm, "wasm");
        hasher.update(bytes.subarray(0, split));
        hasher.update(bytes.subarray(split));
        assertEquals(hasher.digest().toHex(), expected, `${length} bytes split at ${split}`);
      }
    }
  });

  Deno.test(`${algorithm}: random splits, many hashers at a time`, () => {
    const running = Array.from({ length: 20 }, (_, i) => ({
      hasher: createHasher(algorithm, i % 2 === 0 ? "wasm" : "native"),
      bytes: RANDOM.subarray(0, randomInt(RANDOM.length)),
      at: 0,
    }));
    for (let busy = true; busy;) {
      busy = false;
      for (const run of running) {
        if (run.at === run.bytes.length) continue;
        const end = Math.min(run.bytes.length, run.at + randomInt(1, 5000));
        run.hasher.update(run.bytes.subarray(run.at, end));
        run.at = end;
        busy = true;
      }
    }
    for (const { hasher, bytes } of running) {
      assertEquals(hasher.digest().toHex(), oracle(algorithm, bytes));
    }
  });

  Deno.test(`${algorithm}: input larger than the window, at any alignment`, () => {
    const bytes = new Uint8Array(randomBytes((1 << 21) + 77));
    for (const start of [0, 1, 3]) {
      const part = bytes.subarray(start);
      assertEquals(digestBytes(part, algorithm), `${algorithm}:${oracle(algorithm, part)}`);
      assertEquals(digestBytes(part, algorithm, "native"), digestBytes(part, algorithm, "wasm"));
    }
  });

  Deno.test(`${algorithm}: by the window, in any pieces, beside foreign views`, () => {
    for (const engine of ["wasm", "native"] as const) {
      const hasher = createHasher(algorithm, engine);
      const bytes = RANDOM.subarray(randomInt(64));
      for (let at = 0; at < bytes.length;) {
        const part = bytes.subarray(at, at + [1, 63, 64, 129, 5_000][randomInt(5)]!);
        at += part.length;
        // A view of the window that does not begin where it begins is like any other.
        const offset = [0, 0, 5][randomInt(3)]!;
        hasher.window.set(part, offset);
        hasher.update(hasher.window.subarray(offset, offset + part.length));
        hasher.update(bytes.subarray(at, at + 3));
        at = Math.min(at + 3, bytes.length);
      }
      assertEquals(hasher.digest().toHex(), oracle(algorithm, bytes));
    }
  });

  Deno.test(`${algorithm}: a hasher is over after its digest, and its state is not inherited`, () => {
    for (const engine of ["wasm", "native"] as const) {
      const hasher = createHasher(algorithm, engine);
      hasher.update(RANDOM);
      hasher.digest();
      assertThrows(() => hasher.update(RANDOM), TypeError, "its digest was taken");
      assertThrows(() => hasher.digest(), TypeError, "its digest was taken");
      assertThrows(() => hasher.window, TypeError, "its digest was taken");
    }
    // The instance of the finished one comes from the pool, for either algorithm.
    for (const next of ALGORITHMS) {
      assertEquals(
        digestBytes(new Uint8Array(0), next),
        `${next}:${oracle(next, new Uint8Array(0))}`,
      );
    }
  });
}

Deno.test("known answers (FIPS 180-4)", () => {
  const abc = new TextEncoder().encode("abc");
  assertEquals(
    digestBytes(abc, "sha256"),
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  assertEquals(
    digestBytes(abc, "sha512"),
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  );
});
