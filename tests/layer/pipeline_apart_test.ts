/** Layers that are unpacked apart while others are made, one tree for each layer. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { randomBytes } from "node:crypto";
import { exists } from "../../src/files.ts";
import type { LayerSource } from "../../src/layer/layer_source.ts";
import { LayerPipeline } from "../../src/layer/pipeline.ts";
import { NO_TRAITS } from "../../src/layer/traits.ts";
import { dir, file, hardlink } from "../fixtures/tar.ts";
import { IS_ROOT } from "../fixtures/tree.ts";
import { errorOf, layerOf, patiently, type Place, withPlace } from "./place.ts";

const MIB = 1024 * 1024;

/** A layer of a directory with something large, and some members more. */
function bulky(place: Place, name: string, members: readonly Uint8Array[] = []): LayerSource {
  const bulk = file(`${name}/bulk`, new Uint8Array(randomBytes(2 * MIB)));
  return layerOf(place, [dir(name), bulk, ...members]);
}

/** A pipeline that may unpack all layers apart; what it does goes to one root. */
class Stored implements AsyncDisposable {
  readonly #place: Place;
  readonly pipeline: LayerPipeline;
  readonly apart: string;
  #trees = 0;

  constructor(
    place: Place,
    layers: readonly LayerSource[],
    signal: AbortSignal,
    mayBeApart: boolean,
  ) {
    this.#place = place;
    this.apart = `${place.scratch}/apart`;
    Deno.mkdirSync(this.apart);
    this.pipeline = new LayerPipeline(layers, {
      engine: "wasm",
      signal,
      onProgress: () => {},
      positions: layers.map((_, layer) => layer),
      total: layers.length,
      apart: { scratch: this.apart, asRoot: IS_ROOT, hasSkeletons: true, isOneTree: false },
    });
    if (mayBeApart) this.pipeline.allowApart(() => true);
  }

  /** Applies the next layer to the root, where the others are. */
  async apply(): Promise<void> {
    const { root, scratch } = this.#place;
    const skeleton = `${scratch}/skeleton-${this.#trees}`;
    const onTop = this.#trees++ > 0;
    const follows = onTop;
    const job = { root, scratch, asRoot: IS_ROOT, traits: NO_TRAITS, onTop, follows, tells: true };
    await this.pipeline.makeTree(job, [skeleton]);
    assert(Deno.statSync(skeleton).size > 0);
  }

  /** The next layer's own files. @param follows whether it goes on top of the last tree */
  ownFiles(follows = true) {
    return this.pipeline.ownFiles(follows);
  }

  /** Waits until a layer is begun apart. */
  async begun(layer: number): Promise<void> {
    while (!exists(`${this.apart}/apart-${layer}/root`)) await pause();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.pipeline[Symbol.asyncDispose]();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** Registers a test with a pipeline for these layers. */
function test(
  name: string,
  layersOf: (place: Place) => LayerSource[],
  body: (stored: Stored, place: Place, abort: AbortController) => Promise<void>,
  mayBeApart = true,
): void {
  Deno.test(name, () =>
    withPlace(async (place) => {
      const abort = new AbortController();
      await using stored = new Stored(place, layersOf(place), abort.signal, mayBeApart);
      await patiently(body(stored, place, abort));
    }));
}

const three = (place: Place) => ["a", "b", "c"].map((name) => bulky(place, name));

test("a layer's own files are handed over with its skeleton", three, async (stored) => {
  await stored.apply();
  await stored.begun(1);
  const own = await stored.ownFiles();
  // An ordinary user's trees do not tell what they have.
  if (!IS_ROOT) return assertEquals(own, null);
  assertEquals([...Deno.readDirSync(own!.root)].map(({ name }) => name), ["b"]);
  assertEquals(Deno.statSync(`${own!.root}/b/bulk`).size, 2 * MIB);
  assert(Deno.statSync(own!.skeleton!).size > 0);
});

test("a layer that was begun apart can be left out", three, async (stored, { root }) => {
  await stored.apply();
  await stored.begun(1);
  stored.pipeline.skip();
  // Nothing is known of the tree that somebody else has made.
  assertEquals(await stored.ownFiles(), null);
  assertEquals(exists(`${stored.apart}/apart-1`), false);
  await stored.apply();
  assertEquals([...Deno.readDirSync(root)].map(({ name }) => name).sort(), ["a", "c"]);
});

test(
  "one that nobody else makes can be left out as well",
  (place) => three(place).with(1, { ...bulky(place, "small"), diffId: null }),
  async (stored, { root }) => {
    await stored.apply();
    stored.pipeline.skip();
    await stored.apply();
    assertEquals([...Deno.readDirSync(root)].map(({ name }) => name).sort(), ["a", "c"]);
  },
);

test(
  "a layer that needs those below it is read again in its turn",
  (place) => three(place).with(1, bulky(place, "b", [hardlink("b/link", "a/bulk")])),
  async (stored, { root }) => {
    await stored.apply();
    assertEquals(await stored.ownFiles(), null);
    await stored.apply();
    assertEquals(Deno.statSync(`${root}/b/link`).size, 2 * MIB);
    assertEquals(exists(`${stored.apart}/apart-1`), false);
  },
);

test("a blob that is damaged is told of in its turn", (place) => {
  const layers = three(place);
  const { path } = layers[1]!.content as { path: string };
  const blob = Deno.readFileSync(path);
  blob[blob.length - 20]! ^= 1;
  Deno.writeFileSync(path, blob);
  return layers;
}, async (stored) => {
  await stored.apply();
  assertEquals(await stored.ownFiles(), null);
  const error = await errorOf(stored.apply());
  assertEquals(error.code, "digest-mismatch");
  assertStringIncludes(error.message, "layer 2 of 3");
});

test("an abort between two trees ends the next one", three, async (stored, _place, abort) => {
  await stored.apply();
  await stored.begun(1);
  abort.abort();
  await stored.ownFiles(); // all of it may be there
  assertEquals((await errorOf(stored.apply())).code, "interrupted");
});

test("a failure of tar between two trees is told of by the next one", (place) => {
  const longName = file(`c/${"n".repeat(300)}`, "x");
  return three(place).with(2, bulky(place, "c", [longName]));
}, async (stored) => {
  await stored.apply();
  await stored.begun(2);
  const error = await errorOf((async () => {
    for (let layer = 1; layer < 3; layer++) {
      await stored.ownFiles();
      await stored.apply();
    }
  })());
  assertEquals(error.code, "image-invalid");
  assertStringIncludes(error.message, "layer 3 of 3");
});

test("a layer that was asked for in vain is not begun apart after that", three, async (stored) => {
  await stored.apply();
  assertEquals(await stored.ownFiles(), null);
  stored.pipeline.allowApart(() => true);
  await stored.begun(2);
  await pause();
  assertEquals(exists(`${stored.apart}/apart-1`), false);
  await stored.apply();
}, false);

test(
  "a layer that is apart is merged where nobody takes its files",
  three,
  async (stored, place) => {
    await stored.apply();
    await stored.begun(1);
    await stored.apply();
    assertEquals([...Deno.readDirSync(place.root)].map(({ name }) => name).sort(), ["a", "b"]);
  },
);

test(
  "on another tree than the last one, a layer cannot stay apart",
  three,
  async (stored, place) => {
    await stored.apply();
    await stored.begun(1);
    assertEquals(await stored.ownFiles(false), null);
    await stored.apply();
    assertEquals([...Deno.readDirSync(place.root)].map(({ name }) => name).sort(), ["a", "b"]);
  },
);

test("a layer that was asked for once more can be left out", three, async (stored, { root }) => {
  await stored.apply();
  await stored.begun(2);
  assertEquals(await stored.ownFiles(false), null);
  stored.pipeline.skip();
  await stored.ownFiles(false);
  await stored.apply();
  assertEquals([...Deno.readDirSync(root)].map(({ name }) => name).sort(), ["a", "c"]);
});

test("a layer that cannot be begun apart is read in its turn", three, async (stored, { root }) => {
  Deno.writeTextFileSync(`${stored.apart}/apart-1`, "in the way");
  await stored.apply();
  await stored.begun(2);
  assertEquals(await stored.ownFiles(), null);
  await stored.apply();
  assertEquals([...Deno.readDirSync(root)].map(({ name }) => name).sort(), ["a", "b"]);
});

test(
  "nothing is written any more once all has ended",
  (place) => {
    const many = Array.from({ length: 20_000 }, (_, i) => dir(`b/${i}`));
    return three(place).with(1, bulky(place, "b", many));
  },
  async (stored) => {
    await stored.apply();
    await stored.begun(1);
    await stored.pipeline[Symbol.asyncDispose]();
    Deno.removeSync(stored.apart, { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 200));
    assertEquals(exists(stored.apart), false);
  },
);
