/** Pushes that end before their time, and registries that want their blobs in chunks. */

import { assert, assertEquals } from "@std/assert";
import { UPLOAD_CHUNK_BYTES } from "../../src/limits.ts";
import { digestOf, imageLayout, type Json } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { type Asked, FaultyRegistry, type Handler } from "../registry/faulty_registry.ts";
import { noise } from "../store/contract_ground.ts";
import { outcome, start, until, Work } from "./harness.ts";
import { Tool } from "./transfer_tool.ts";

/** Bytes of a layer that fits into no buffer between two processes. */
const LARGE = 24_000_000;

const LAYERS = [0, 1, 2, 3].map((i) => ({
  tar: tarball([file(`f${i}`, noise(i === 1 ? LARGE : 100_000))]),
}));

const isUploadOf = ({ method, target }: Pick<Asked, "method" | "target">, digest: string) =>
  method === "PUT" && target.includes("/blobs/uploads/") &&
  decodeURIComponent(target).includes(digest);

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  Deno.test(`${signal} in the midst of a push leaves whole blobs and no tag, and the next goes on`, async () => {
    await using work = await Work.create();
    const tool = await Tool.inside(work);
    await using registry = new FaultyRegistry();
    const image = imageLayout(work.path("image"), { layers: LAYERS });
    await tool.json("pull", image.reference, "--as=app");
    const large = image.layerDigests[1]!;
    const others = [image.configDigest, ...image.layerDigests.filter((digest) => digest !== large)];
    const held = Promise.withResolvers<void>();
    let isHeld = false;
    registry.gate = (request) => {
      if (!isUploadOf(request, large)) return;
      isHeld = true;
      return held.promise;
    };

    const push = ["push", "--tls-verify=false", "app", `docker://${registry.host}/team/app:1`];
    const child = start(tool.argv(push), { env: tool.env });
    const ending = outcome(child);
    await until(
      "all other blobs are in the registry",
      () => isHeld && others.every((digest) => registry.blobs.has(digest)),
    );
    child.kill(signal);
    const { code, stdout, stderr } = await ending;
    held.resolve();
    if (signal === "SIGINT") {
      assertEquals([code, JSON.parse(stdout).error.code], [130, "interrupted"], stderr);
    }
    const { problems } = await tool.json("fsck");
    assertEquals(problems, []);
    assertEquals(registry.manifests.size, 0);
    assertEquals([...registry.blobs.keys()].sort(), [...others].sort());

    registry.gate = () => {};
    const pushed = await tool.json(...push);
    assertEquals(pushed.digest, image.manifestDigest);
    assertEquals([(pushed.reused as Json).blobs, (pushed.copied as Json).blobs], [4, 2]);
    assertEquals([...registry.manifests.keys()], ["1"]);
    for (const [digest, bytes] of registry.blobs) assertEquals(digestOf(bytes), digest);
    assert(registry.blobs.has(large));
  });
}

/** The most that a registry takes at once: all blobs but the large one fit. */
const MOST = 20_000_000;

const tooLong: Handler = ({ method, body }) =>
  method === "PUT" && body.length > MOST ? new Response(null, { status: 413 }) : undefined;

/** Wants chunks that are longer than those that are usual here. */
const minimum = (registry: FaultyRegistry): Handler => ({ method, target }) => {
  if (method !== "POST") return undefined;
  const session = `own${registry.asked.length}`;
  registry.uploads.set(session, new Uint8Array());
  const headers = { location: `${target}${session}`, "oci-chunk-min-length": `${MOST}` };
  return new Response(null, { status: 202, headers });
};

for (
  const [what, handlerOf, chunk] of [
    ["413", () => tooLong, UPLOAD_CHUNK_BYTES],
    ["OCI-Chunk-Min-Length", minimum, MOST],
  ] as const
) {
  Deno.test(`a push goes in chunks where the registry says ${what}`, async () => {
    await using work = await Work.create();
    const tool = await Tool.inside(work);
    await using registry = new FaultyRegistry();
    registry.handler = handlerOf(registry);
    const image = imageLayout(work.path("image"), { layers: LAYERS });
    await tool.json("pull", image.reference, "--as=app");
    const to = `docker://${registry.host}/team/app:1`;
    const pushed = await tool.json("push", "--tls-verify=false", "app", to);
    assertEquals(pushed.digest, image.manifestDigest);
    const patches = registry.asked.filter(({ method }) => method === "PATCH");
    const sizes = patches.map(({ body }) => body.length).filter((length) => length > 200_000);
    const { length } = registry.blobs.get(image.layerDigests[1]!)!;
    assertEquals(sizes, [chunk, length - chunk]);
    assertEquals(
      [...registry.blobs.keys()].sort(),
      [image.configDigest, ...image.layerDigests].sort(),
    );
  });
}
