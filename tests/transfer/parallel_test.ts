/** How many things are done at a time, and how many blobs are on their way from or to a registry. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { forEachParallel } from "../../src/transfer/parallel.ts";
import { pullImage } from "../../src/transfer/pull.ts";
import { imageLayout } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { FaultyRegistry, type Handler } from "../registry/faulty_registry.ts";
import { settingsFor } from "../registry/harness.ts";
import { withStore } from "../store/image_fixture.ts";
import { AMD64, copy } from "./harness.ts";

/** Lets everything run that waits for nothing. */
const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("no more are begun than the limit, in order, and the next when one has ended", async () => {
  const items = ["a", "b", "c", "d", "e"];
  const gates = items.map(() => Promise.withResolvers<void>());
  const begun: string[] = [];
  const all = forEachParallel(items, 2, undefined, async (item, index) => {
    begun.push(item);
    await gates[index]!.promise;
  });
  await turn();
  assertEquals(begun, ["a", "b"]);
  gates[1]!.resolve();
  await turn();
  assertEquals(begun, ["a", "b", "c"]);
  for (const gate of gates) gate.resolve();
  await all;
  assertEquals(begun, items);
});

Deno.test("after a failure no more are begun, and those under way are told and waited for", async () => {
  const begun: number[] = [];
  let ended = false;
  const all = forEachParallel([0, 1, 2, 3], 2, undefined, async (item, _, signal) => {
    begun.push(item);
    if (item === 1) throw new Error("the first");
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    await turn();
    ended = true;
    throw new Error("the second");
  });
  await assertRejects(() => all, Error, "the first");
  assertEquals([begun, ended], [[0, 1], true]);
});

Deno.test("the signal of the caller reaches what is under way", async () => {
  const controller = new AbortController();
  const reasons: unknown[] = [];
  const all = forEachParallel([0, 1], 2, controller.signal, async (_item, _index, signal) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    reasons.push(signal.reason);
  });
  controller.abort("enough");
  await all;
  assertEquals(reasons, ["enough", "enough"]);
});

/** Requests that are expected to be there at a time. */
const AT_ONCE = 4;

/** Counts requests that are there at a time. Each waits until all that come with it must be there. */
class Meter {
  most = 0;
  #now = 0;

  constructor(readonly registry: FaultyRegistry, isCounted: (request: string) => boolean) {
    const handler: Handler = async ({ method, target }) => {
      if (!isCounted(`${method} ${decodeURIComponent(target)}`)) return undefined;
      this.most = Math.max(this.most, ++this.#now);
      // The others have all the time that they need; one too many comes within some requests.
      for (let i = 0; i < 20 || (i < 2000 && this.most < AT_ONCE); i++) {
        await (await fetch(`http://${registry.host}/v2/`)).body?.cancel();
      }
      this.#now--;
      return undefined;
    };
    registry.handler = handler;
  }
}

Deno.test("four blobs are on their way at a time, from a registry and to one", () =>
  withStore(async (store, dir) => {
    await using registry = new FaultyRegistry();
    const access = { registry: () => Promise.resolve(settingsFor([registry.host])) };
    const layers = Array.from({ length: 9 }, (_, i) => ({ tar: tarball([file(`${i}`, `${i}`)]) }));
    const image = imageLayout(`${dir}.d/image`, { layers });
    const name = `docker://${registry.host}/team/app:1`;
    const isLayer = (request: string) =>
      image.layerDigests.some((digest) => request.includes(digest));

    const sent = new Meter(registry, (request) => request.startsWith("PUT ") && isLayer(request));
    await copy(image.reference, name, access);
    assertEquals(sent.most, AT_ONCE);

    const manifest = registry.manifests.get("1");
    assert(manifest !== undefined);
    registry.manifests.set(image.manifestDigest, manifest);
    const got = new Meter(registry, (request) => request.startsWith("GET ") && isLayer(request));
    await pullImage(store, { reference: name, platform: AMD64, engine: "native", ...access });
    assertEquals(got.most, AT_ONCE);
  }));
