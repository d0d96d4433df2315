/** A message past 4 GiB, whose length leaves 32 bits in bytes too: a file of its own, as it takes long. */

import { assertEquals } from "@std/assert";
import { createHash, randomBytes } from "node:crypto";
import { createHasher } from "../../src/core/hasher.ts";

Deno.test("sha256: the length field holds a length past 4 GiB", () => {
  const piece = new Uint8Array(randomBytes(1 << 20));
  const hasher = createHasher("sha256", "wasm");
  const expected = createHash("sha256");
  hasher.window.set(piece);
  for (let i = 0; i < 4097; i++) {
    hasher.update(hasher.window);
    expected.update(piece);
  }
  assertEquals(hasher.digest().toHex(), expected.digest("hex"));
});
