/** Pulls that end before their time, and stores that are read while something is pulled into them. */

import { assert, assertEquals } from "@std/assert";
import { ImageStore } from "../../src/store/images.ts";
import { pullImage } from "../../src/transfer/pull.ts";
import { digestOf, imageLayout, type Json } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { FaultyRegistry } from "../registry/faulty_registry.ts";
import { settingsFor } from "../registry/harness.ts";
import { noise } from "../store/contract_ground.ts";
import { AMD64, blobsIn } from "../transfer/harness.ts";
import { must, outcome, start, until, Work } from "./harness.ts";
import { blob, IMAGE, serve, skopeo, Tool } from "./transfer_tool.ts";

/** Bytes of the layer in the midst of which a pull is ended. */
const HELD = 4_000_000;

/** An image of six layers; the fifth is the large one. */
const SIX = [0, 1, 2, 3, 4, 5].map((i) => ({
  tar: tarball([file(`f${i}`, noise(i === 4 ? HELD : 100_000))]),
}));

/** Half of the bytes; the other half never comes. Says when the first half has left. */
function half(bytes: Uint8Array<ArrayBuffer>, left: () => void): Response {
  let sent = false;
  const body = new ReadableStream({
    pull(controller) {
      if (!sent) controller.enqueue(bytes.slice(0, bytes.length / 2));
      sent ||= (left(), true);
    },
  }, { highWaterMark: 0 });
  return new Response(body);
}

/** Bytes of all files below a directory. */
async function bytesBelow(directory: string): Promise<number> {
  const script = `find "$1" -type f -printf '%s\\n' 2>/dev/null || true`;
  const sizes = await must(["sh", "-c", script, "find", directory]);
  return sizes.split("\n").reduce((sum, size) => sum + Number(size), 0);
}

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  Deno.test(`${signal} in the midst of a pull leaves whole blobs, which the next does not fetch`, async () => {
    await using work = await Work.create();
    const tool = await Tool.inside(work);
    await using registry = new FaultyRegistry();
    const image = imageLayout(work.path("image"), { layers: SIX });
    const name = serve(registry, image);
    const small = imageLayout(work.path("small"), IMAGE);
    const large = image.layerDigests[4]!;
    const others = [image.configDigest, ...image.layerDigests.filter((digest) => digest !== large)];
    let isHeld = false;
    registry.handler = ({ method, target }) =>
      method === "GET" && target.endsWith(`/blobs/${large}`)
        ? half(registry.blobs.get(large)!, () => isHeld = true)
        : undefined;

    const pull = ["pull", "--tls-verify=false", name, "--as=app"];
    const child = start(tool.argv(pull), { env: tool.env });
    const ending = outcome(child);
    await until("all other blobs are in the store, and some of the large one", async () => {
      const there = new Set(blobsIn(tool.store));
      return isHeld && others.every((digest) => there.has(digest)) &&
        await bytesBelow(tool.store) > 600_000 + HELD / 4;
    });
    child.kill(signal);
    const { code, stdout, stderr } = await ending;

    const there = blobsIn(tool.store);
    assertEquals(there, [...others].sort());
    for (const digest of there) {
      assertEquals(digestOf(await Deno.readFile(blob(tool.store, digest))), digest);
    }
    const kinds = async () => {
      const { stdout } = await tool.run("fsck", "--deep");
      return (JSON.parse(stdout).problems as Json[]).map(({ kind }) => kind);
    };
    if (signal === "SIGINT") {
      assertEquals([code, JSON.parse(stdout).error.code], [130, "interrupted"], stderr);
      assertEquals(await kinds(), []);
    } else {
      assertEquals(await kinds(), ["litter"]);
    }
    assertEquals(await namesIn(tool), []);

    await tool.json("pull", small.reference, "--as=small");
    assertEquals([await kinds(), await namesIn(tool)], [[], ["small"]]);
    registry.handler = () => undefined;
    registry.asked.length = 0;
    const pulled = await tool.json(...pull);
    assertEquals([pulled.digest, (pulled.reused as Json).blobs], [image.manifestDigest, 6]);
    const layers = registry.log.filter((line) => /^GET .*\/blobs\//.test(line))
      .filter((line) => !line.endsWith(image.configDigest));
    assertEquals(layers, [`GET /v2/team/app/blobs/${large}`]);
    assertEquals([await kinds(), await namesIn(tool)], [[], ["app", "small"]]);
  });
}

/** Names of the images in a store, sorted. */
async function namesIn(tool: Tool): Promise<unknown[]> {
  const images: Json[] = JSON.parse(await must(tool.argv(["images"]), { env: tool.env }));
  return images.map(({ name }) => name).sort();
}

/** How often an image is read while others are pulled. */
const READS = 40;

Deno.test("skopeo reads an image of the store at any time while others are pulled into it", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  await using registry = new FaultyRegistry();
  const kept = imageLayout(work.path("kept"), IMAGE);
  await tool.json("pull", kept.reference, "--as=kept");
  // In this process, so that there is a pull at every moment.
  const store = new ImageStore(tool.store);
  const access = { registry: () => Promise.resolve(settingsFor([registry.host])) };
  let isReading = true;
  let pulls = 0;
  const pulling = (async () => {
    for (; isReading; pulls++) {
      const layers = [0, 1].map((i) => ({ tar: tarball([file(`${i}`, noise(20_000))]) }));
      const image = imageLayout(work.path(`image${pulls}`), { layers });
      const reference = serve(registry, image, `${pulls}`);
      const how = { reference, platform: AMD64, engine: "native", ...access } as const;
      for (const as of ["app", `app:${pulls}`]) await pullImage(store, { ...how, as });
    }
  })();
  const reading = (async () => {
    try {
      for (let i = 0; i < READS; i++) {
        const copy = work.path(`copy${i}`);
        await skopeo("copy", "--quiet", `oci:${tool.store}:kept:latest`, `dir:${copy}`);
        assertEquals(digestOf(await Deno.readFile(`${copy}/manifest.json`)), kept.manifestDigest);
      }
    } finally {
      isReading = false;
    }
  })();
  for (const result of await Promise.allSettled([reading, pulling])) {
    if (result.status === "rejected") throw result.reason;
  }
  assert(pulls >= READS / 10, `${pulls}`);
});
