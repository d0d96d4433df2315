/** The threads that apply layers: which error they tell of, and that they always come to an end. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gzipSync } from "node:zlib";
import { LayerfsError } from "../../src/errors.ts";
import type { LayerSource } from "../../src/layer/layer_source.ts";
import { LayerPipeline, type PipelineOptions } from "../../src/layer/pipeline.ts";
import type { ProgressListener } from "../../src/layer/progress.ts";
import { NO_TRAITS } from "../../src/layer/traits.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { digestOf, WRONG_DIGEST } from "../fixtures/image.ts";
import { concat, dir, file, tarball } from "../fixtures/tar.ts";
import { errorOf, patiently, type Place, withPlace } from "./place.ts";

const MIB = 1024 * 1024;

/** A layer whose blob comes as one piece. */
function layerOf(tar: Uint8Array, more: Partial<LayerSource> & { blob?: Uint8Array } = {}) {
  const { blob = tar, ...rest } = more;
  const content = {
    length: blob.length,
    async *open() {
      yield blob;
    },
  };
  const digests = { digest: digestOf(blob) as Digest, diffId: digestOf(tar) as Digest };
  return { ...digests, size: blob.length, content, ...rest } satisfies LayerSource;
}

function pipelineOf(
  layers: readonly LayerSource[],
  more: Partial<PipelineOptions> = {},
): LayerPipeline {
  const positions = layers.map((_, layer) => layer);
  const { signal } = new AbortController();
  const usual = { engine: "wasm", signal, onProgress: () => {}, positions } as const;
  return new LayerPipeline(layers, { ...usual, total: layers.length, ...more });
}

/** The next tree of a pipeline, of one layer. */
function makeTree(pipeline: LayerPipeline, place: Place) {
  return pipeline.makeTree({ ...place, asRoot: false, traits: NO_TRAITS }, [null]);
}

/** A layer that is refused at its second entry, with some MiB behind that. */
function refusedEarly(mebibytes: number): Uint8Array {
  const zeros = Array.from({ length: mebibytes }, (_, i) => file(`${i}`, new Uint8Array(MIB)));
  return tarball([file("f", "x"), file("f/below", "x"), ...zeros]);
}

// Small images have a thread less, and a ring holds 4 MiB.
for (const [name, mebibytes] of [["gzip", 12], ["small plain", 3], ["large plain", 12]] as const) {
  const tar = refusedEarly(mebibytes);
  const blob = name === "gzip" ? gzipSync(tar) : tar;
  Deno.test(`a damaged blob is reported by its digest, whatever its entries say: ${name}`, () =>
    withPlace(async (place) => {
      const digest = WRONG_DIGEST as Digest;
      // Not verified by its diffID either, where it is the tar stream itself.
      const diffId = blob === tar ? digest : digestOf(tar) as Digest;
      await using pipeline = pipelineOf([layerOf(tar, { blob, digest, diffId })]);
      const error = await errorOf(makeTree(pipeline, place));
      assertEquals(error.code, "digest-mismatch", error.message);
    }));

  Deno.test(`entries that are refused are reported where the blob is right: ${name}`, () =>
    withPlace(async (place) => {
      await using pipeline = pipelineOf([layerOf(tar, { blob })]);
      const error = await errorOf(makeTree(pipeline, place));
      assertEquals(error.code, "image-invalid");
      assertStringIncludes(error.message, 'entry "f/below"');
    }));
}

const small = tarball([dir("etc"), file("etc/motd", "hello\n")]);

for (const kind of ["file", "stream"] as const) {
  Deno.test(`a layer that somebody else has made may be damaged here: ${kind}`, () =>
    withPlace(async (place) => {
      const content = kind === "file"
        ? { path: `${place.scratch}/missing`, offset: 0, length: small.length }
        : {
          length: small.length,
          // deno-lint-ignore require-yield -- it fails before its first piece
          async *open(): AsyncGenerator<Uint8Array> {
            throw new LayerfsError("unreachable", "the connection broke");
          },
        };
      const layers = Array.from({ length: 5 }, () => layerOf(small));
      await using pipeline = pipelineOf(layers.with(0, layerOf(small, { content })));
      // Until the failure has happened, for certain.
      await new Promise((resolve) => setTimeout(resolve, 300));
      pipeline.skip();
      for (let layer = 1; layer < layers.length; layer++) {
        await patiently(makeTree(pipeline, place));
      }
      assertEquals(await Deno.readTextFile(`${place.root}/etc/motd`), "hello\n");
    }));
}

Deno.test("an abort ends a tree that is asked for after a layer was left out", () =>
  withPlace(async (place) => {
    const abort = new AbortController();
    await using pipeline = pipelineOf([layerOf(small), layerOf(small)], { signal: abort.signal });
    abort.abort();
    pipeline.skip();
    const error = await errorOf(makeTree(pipeline, place));
    assertEquals(error.code, "interrupted");
  }));

Deno.test("an abort ends the wait for a diffID", () =>
  withPlace(async (place) => {
    const abort = new AbortController();
    // With SHA-512 in WebAssembly, the digest takes longer than the tree.
    const tar = tarball([file("zeros", new Uint8Array(12 * MIB))]);
    const diffId = digestOf(tar, "sha512") as Digest;
    const onProgress: ProgressListener = ({ type }) => void (type === "layer" && abort.abort());
    await using pipeline = pipelineOf([layerOf(tar, { diffId })], {
      signal: abort.signal,
      onProgress,
    });
    try {
      await patiently(makeTree(pipeline, place)); // it may have been known already
    } catch (error) {
      assert(error instanceof LayerfsError, (error as Error).stack);
      assertEquals(error.code, "interrupted");
    }
  }));

/** A gzip file with a comment (RFC 1952, 2.3): so it is longer than what it holds. */
function commented(tar: Uint8Array, length: number): Uint8Array {
  const COMMENT = 0x10;
  const blob = gzipSync(tar, { level: 1 });
  blob[3] = COMMENT;
  const comment = new Uint8Array(length + 1).fill(0x63, 0, length);
  return concat([blob.subarray(0, 10), comment, blob.subarray(10)]);
}

for (const engine of ["wasm", "native"] as const) {
  Deno.test(`a blob that ends long after its stream waits for nothing that waits for it: ${engine}`, () =>
    withPlace(async (place) => {
      const layers = [0, 1, 2, 3].map((layer) => {
        const tar = tarball([file(`${layer}`, new Uint8Array(6 * MIB))]);
        const blob = commented(tar, 12 * MIB);
        const path = `${place.blobs}/${layer}`;
        Deno.writeFileSync(path, blob);
        const content = { path, offset: 0, length: blob.length };
        return { ...layerOf(tar, { blob }), content };
      });
      await using pipeline = pipelineOf(layers, { engine });
      for (const _ of layers) await patiently(makeTree(pipeline, place));
    }));
}

Deno.test("where nothing can be written for tar, the error says so and names the layer", () =>
  withPlace(async (place) => {
    await using pipeline = pipelineOf([layerOf(small)]);
    const error = await errorOf(makeTree(pipeline, { ...place, scratch: `${place.scratch}/no` }));
    assertEquals(error.code, "not-found");
    assertStringIncludes(error.message, "layer 1 of 1");
  }));
