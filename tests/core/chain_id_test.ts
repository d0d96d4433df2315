import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { chainIds } from "../../src/core/chain_id.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";

const diffIds = (texts: readonly string[]): Digest[] => texts.map(parseDigest);
const hash = (algorithm: string, text: string): string =>
  `${algorithm}:${createHash(algorithm).update(text).digest("hex")}`;

Deno.test("no layers, no ChainIDs; one layer's ChainID is its diffID", () => {
  assertEquals(chainIds([]), []);
  const only = diffIds([hash("sha256", "a")]);
  assertEquals(chainIds(only), only);
});

Deno.test("the ChainIDs of a known stack", () => {
  // Computed by: printf '%s %s' "$below" "$diffid" | sha256sum, with the digests of "a", "b", "c".
  const stack = diffIds(["a", "b", "c"].map((text) => hash("sha256", text)));
  const known: string[] = chainIds(stack);
  assertEquals(known, [
    "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676",
    "sha256:2fce7f8ce91bcf0a1428b36e1024639fdbd9469eea762dba98aa749631885106",
  ]);
});

Deno.test("each ChainID depends on the whole stack below", () => {
  const stack = ["a", "b", "c", "d"].map((text) => hash("sha256", text));
  const ids = [...chainIds(diffIds(stack)), ...chainIds(diffIds([...stack].reverse()))];
  assertEquals(new Set<string>(ids).size, 8);
});

Deno.test("ChainIDs over sha512 diffIDs are SHA-256 too", () => {
  const first = hash("sha512", "a");
  const second = hash("sha512", "b");
  const ids: string[] = chainIds(diffIds([first, second]));
  assertEquals(ids, [first, hash("sha256", `${first} ${second}`)]);
});
