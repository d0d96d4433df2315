import { assertEquals } from "@std/assert";
import { MAX_INDEX_DEPTH, MAX_INDEX_ENTRIES } from "../../src/limits.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media_type.ts";
import { walkIndexes } from "../../src/source/index_walk.ts";
import { refuses } from "./scratch.ts";

/** A digest with a number in it; documents here need not match theirs. */
function digest(number: number): Digest {
  return parseDigest(`sha256:${number.toString(16).padStart(64, "0")}`);
}

function manifest(number: number): Descriptor {
  return { mediaType: OCI_MANIFEST, digest: digest(number), size: 1 };
}

function index(number: number): Descriptor {
  return { mediaType: OCI_INDEX, digest: digest(number), size: 1 };
}

/** Walks documents given by number; returns the numbers found and those read. */
async function walk(
  start: Descriptor[],
  documents: Record<number, Descriptor[]>,
  enter: (index: Descriptor) => boolean = () => true,
): Promise<{ found: number[]; read: number[] }> {
  const found: number[] = [];
  const read: number[] = [];
  const numberOf = (descriptor: Descriptor) => parseInt(descriptor.digest.slice(7), 16);
  const source = (descriptor: Descriptor) => {
    read.push(numberOf(descriptor));
    const manifests = documents[numberOf(descriptor)];
    const json = JSON.stringify({ schemaVersion: 2, manifests });
    return Promise.resolve(new TextEncoder().encode(json));
  };
  for await (const descriptor of walkIndexes(start, source, enter)) {
    found.push(numberOf(descriptor));
  }
  return { found, read };
}

Deno.test("entries come in order, those of a nested index after it", async () => {
  const documents = { 2: [manifest(3), index(4), manifest(6)], 4: [manifest(5)], 8: [] };
  const start = [manifest(1), index(2), manifest(7), index(8)];
  assertEquals(await walk(start, documents), { found: [1, 2, 3, 4, 5, 6, 7, 8], read: [2, 4, 8] });
});

Deno.test("an index that is not to be entered is not read", async () => {
  const documents = { 1: [manifest(2)], 3: [manifest(4)] };
  const start = [index(1), index(3)];
  const enter = (descriptor: Descriptor) => descriptor.digest !== digest(1);
  assertEquals(await walk(start, documents, enter), { found: [1, 3, 4], read: [3] });
});

Deno.test("an index that names itself, or its parent, ends", async () => {
  assertEquals(await walk([index(1)], { 1: [index(1), manifest(2)] }), {
    found: [1, 1, 2],
    read: [1],
  });
  assertEquals(await walk([index(1)], { 1: [index(2)], 2: [index(1), manifest(3)] }), {
    found: [1, 2, 1, 3],
    read: [1, 2],
  });
});

Deno.test("indexes that share indexes are read once each, not once for every way to them", async () => {
  const documents: Record<number, Descriptor[]> = {};
  for (let level = 1; level <= MAX_INDEX_DEPTH; level++) {
    documents[level] = Array(100).fill(level === MAX_INDEX_DEPTH ? manifest(99) : index(level + 1));
  }
  const { found, read } = await walk([index(1)], documents);
  assertEquals(read.length, MAX_INDEX_DEPTH);
  assertEquals(found.length, 1 + 100 * MAX_INDEX_DEPTH);
});

Deno.test("nesting beyond the cap is an error", async () => {
  const chain = (depth: number) => {
    const documents: Record<number, Descriptor[]> = {};
    for (let level = 1; level < depth; level++) documents[level] = [index(level + 1)];
    documents[depth] = [manifest(99)];
    return walk([index(1)], documents);
  };
  assertEquals((await chain(MAX_INDEX_DEPTH)).found.at(-1), 99);
  await refuses(() => chain(MAX_INDEX_DEPTH + 1), "image-invalid", "nested deeper than 8 levels");
});

Deno.test("entries beyond the cap are an error", async () => {
  const start = Array<Descriptor>(MAX_INDEX_ENTRIES).fill(manifest(1));
  assertEquals((await walk(start, {})).found.length, MAX_INDEX_ENTRIES);
  start.push(manifest(2));
  await refuses(() => walk(start, {}), "image-invalid", "more than 100000 entries");
});

Deno.test("a document of another type than announced is an error", async () => {
  const read = () => Promise.resolve(new TextEncoder().encode('{"schemaVersion":2,"layers":[]}'));
  await refuses(
    () => Array.fromAsync(walkIndexes([index(1)], read, () => true)),
    "image-invalid",
    "CVE-2021-41190",
  );
});
