/** Layers that are unpacked side by side: what comes of them, and which error is told. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { randomBytes } from "node:crypto";
import type { DigestEngine } from "../../src/core/hasher.ts";
import { applyLayers } from "../../src/layer/apply_layers.ts";
import type { LayerSource } from "../../src/layer/layer_source.ts";
import type { ProgressEvent } from "../../src/layer/progress.ts";
import { NO_TRAITS, type Traits } from "../../src/layer/traits.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { WRONG_DIGEST } from "../fixtures/image.ts";
import { dir, file, hardlink, latin1, opaque, symlink, whiteout } from "../fixtures/tar.ts";
import { describe, IS_ROOT } from "../fixtures/tree.ts";
import { errorOf, layerOf, type Place, withPlace } from "./place.ts";

const MIB = 1024 * 1024;

/** Bytes that do not compress: so the blobs are large enough to be unpacked side by side. */
const bulk = (mebibytes: number) => new Uint8Array(randomBytes(mebibytes * MIB));

type Members = readonly Uint8Array[];

/** Applies layers; returns the steps that were told. */
async function apply(
  { root, scratch }: Place,
  layers: readonly LayerSource[],
  engine: DigestEngine = "wasm",
  signal = new AbortController().signal,
  onEvent: (event: ProgressEvent) => void = () => {},
): Promise<ProgressEvent[]> {
  const events: ProgressEvent[] = [];
  const job = { root, scratch, layers, engine, asRoot: IS_ROOT, traits: NO_TRAITS };
  const result = await applyLayers(job, signal, (event) => {
    events.push(event);
    onEvent(event);
  });
  assertEquals(result.layers.length, layers.length);
  assertEquals([...Deno.readDirSync(scratch)], []);
  return events;
}

/** Layers of an image, the base first. The bulk keeps the threads at it for a while. */
const STACK: readonly Members[] = [
  [
    dir("usr/lib", { mode: 0o755 }),
    symlink("lib", "usr/lib"),
    file("usr/lib/old", "1"),
    file("etc/a", "1"),
    file("etc/gone", "1"),
    dir("var/full"),
    file("var/full/x", "1"),
    file("base", bulk(4)),
  ],
  [
    dir("usr", { mode: 0o711 }),
    dir("usr/lib", { mode: 0o700 }),
    file("usr/lib/new", "2"),
    hardlink("usr/lib/twin", "usr/lib/new"),
    file("etc/a", "2"),
    whiteout("etc/gone"),
    opaque("var/full"),
    file("var/full/y", "2"),
    file("second", bulk(2)),
  ],
  [file("app/deep/f", "3"), symlink("app/link", "deep"), file("third", bulk(3))],
  [dir("app/deep", { mode: 0o2755 }), file("etc/a", "4"), file("fourth", bulk(1))],
];

/** What the layers that begin with these make of `STACK`: one that needs those below it. */
const NEEDY: Readonly<Record<string, Members>> = {
  "a hard link to a file of another layer": [hardlink("etc/b", "etc/a")],
  "a path through a symlink of another layer": [file("lib/through", "5")],
  "a whiteout through a symlink of another layer": [whiteout("lib/old")],
  "a name that is not UTF-8": [file(latin1("etc/\xff"), "5")],
};

/** The tree that layers make when each is applied in a job of its own. */
async function inTurn(layers: readonly LayerSource[]) {
  let tree: unknown;
  await withPlace(async (place) => {
    const job = { ...place, engine: "native" as const, asRoot: IS_ROOT };
    let traits: Traits = NO_TRAITS;
    for (const layer of layers) {
      const result = await applyLayers(
        { ...job, layers: [layer], traits },
        new AbortController().signal,
        () => {},
      );
      traits = result.traits;
    }
    tree = await describe(place.root);
  });
  return tree;
}

for (const engine of ["wasm", "native"] as const) {
  Deno.test(`layers side by side make the tree that they make in turn: ${engine}`, () =>
    withPlace(async (place) => {
      const layers = STACK.map((members) => layerOf(place, members));
      const events = await apply(place, layers, engine);
      assertEquals(await describe(place.root), await inTurn(layers));
      const done = events.flatMap((event) => event.type === "layer" ? [event.layer] : []);
      assertEquals(done, [0, 1, 2, 3]);
    }));
}

for (const [name, members] of Object.entries(NEEDY)) {
  Deno.test(`a layer that needs those below it is read again in its turn: ${name}`, () =>
    withPlace(async (place) => {
      const stack = STACK.with(2, [...members, ...STACK[2]!]);
      const layers = stack.map((members) => layerOf(place, members));
      const events = await apply(place, layers);
      assertEquals(await describe(place.root), await inTurn(layers));
      // No byte is told of twice.
      for (const [index, { size }] of layers.entries()) {
        const told = events.reduce((sum, event) => {
          return event.type === "bytes" && event.layer === index ? sum + event.delta : sum;
        }, 0);
        assertEquals(told, size, `layer ${index}`);
      }
    }));
}

/** Changes one byte of a layer's blob, near its end. */
function damage({ content }: LayerSource): void {
  assert("path" in content);
  const bytes = Deno.readFileSync(content.path);
  bytes[bytes.length - 5000]! ^= 1;
  Deno.writeFileSync(content.path, bytes);
}

for (const damaged of [0, 1, 3]) {
  Deno.test(`a damaged blob is told of, whatever else there is: layer ${damaged + 1}`, () =>
    withPlace(async (place) => {
      // The last one is refused, too.
      const stack = STACK.with(3, [...STACK[3]!, file("etc/a/below", "x")]);
      const layers = stack.map((members) => layerOf(place, members));
      damage(layers[damaged]!);
      const error = await errorOf(apply(place, layers));
      assertEquals(error.code, "digest-mismatch", error.message);
      assertStringIncludes(error.message, `layer ${damaged + 1} of 4`);
    }));
}

const WRONGS: Readonly<Record<string, [Partial<LayerSource>, string]>> = {
  "another digest": [{ digest: WRONG_DIGEST as Digest }, "digest-mismatch"],
  "another diffID": [{ diffId: WRONG_DIGEST as Digest }, "digest-mismatch"],
  "another size": [{ size: 7 }, "size-mismatch"],
  "no blob": [{ content: { path: "/nonexistent/blob", offset: 0, length: 2 * MIB } }, "not-found"],
};
for (const [name, [wrong, code]] of Object.entries(WRONGS)) {
  Deno.test(`an upper layer with ${name} is refused`, () =>
    withPlace(async (place) => {
      // So is the last one, which tells less.
      const stack = STACK.with(3, [...STACK[3]!, file("etc/a/below", "x")]);
      const layers = stack.map((members, i) => layerOf(place, members, i === 2 ? wrong : {}));
      const error = await errorOf(apply(place, layers));
      assertEquals(error.code, code, error.message);
      assertStringIncludes(error.message, "layer 3 of 4");
    }));
}

Deno.test("an entry that is refused is told of as in its turn", () =>
  withPlace(async (place) => {
    const stack = STACK.with(2, [file("etc/a/below", "x"), ...STACK[2]!]);
    const error = await errorOf(
      apply(place, stack.map((members) => layerOf(place, members))),
    );
    assertEquals(error.code, "image-invalid");
    assertStringIncludes(error.message, "layer 3 of 4");
    assertStringIncludes(error.message, 'entry "etc/a/below"');
  }));

Deno.test("an abort ends layers that are in the works side by side", () =>
  withPlace(async (place) => {
    const abort = new AbortController();
    const layers = STACK.map((members) => layerOf(place, members));
    const onEvent = ({ type }: ProgressEvent) => void (type === "bytes" && abort.abort());
    const error = await errorOf(apply(place, layers, "wasm", abort.signal, onEvent));
    assertEquals(error.code, "interrupted");
  }));
