/**
 * One-shot create from a registry, whatever the driver: the blobs go from the network onto the layer,
 * and nowhere else.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type BuiltImage, imageLayout } from "../fixtures/image.ts";
import { dir, file, hardlink, opaque, symlink, tarball, whiteout } from "../fixtures/tar.ts";
import { broken, FaultyRegistry, type Handler } from "../registry/faulty_registry.ts";
import { pattern } from "../registry/harness.ts";
import { noise } from "../store/contract_ground.ts";
import { blobsIn, tagged } from "../transfer/harness.ts";
import { readTree } from "./compare.ts";
import { assertTree, type Created, must, type Work } from "./harness.ts";
import { serve, Tool } from "./transfer_tool.ts";

/** Bytes of a large file: several pieces of a stream, in a layer that has a thread for its diffID. */
const LARGE = 5_000_000;

/** An image with what tells a right tree from a wrong one; every layer has some bytes to break in. */
function makeImage(directory: string): BuiltImage {
  const base = tarball([
    dir("./"),
    dir("d"),
    file("d/gone", "gone"),
    file("d/kept", "kept", { mode: 0o600, uid: 5, gid: 6 }),
    dir("hidden"),
    file("hidden/a", "a"),
    file("large", noise(LARGE)),
  ]);
  const middle = tarball([
    dir("./"),
    dir("d"),
    whiteout("d/gone"),
    dir("hidden"),
    opaque("hidden"),
    file("hidden/b", "b"),
    file("text", pattern(200_000)),
  ]);
  const top = tarball([
    dir("./"),
    file("text", noise(300_000)),
    hardlink("twin", "text"),
    symlink("l", "d"),
  ]);
  return imageLayout(directory, {
    layers: [
      { tar: base, compression: "gzip" },
      { tar: middle, compression: "gzip" },
      { tar: top },
    ],
    index: tagged("v1"),
  });
}

/** Breaks the first two streams of every layer: each gives a third of it, from where it was asked. */
function breaking(registry: FaultyRegistry, image: BuiltImage): Handler {
  const tries = new Map(image.layerDigests.map((digest) => [digest, 0]));
  return ({ method, target, headers }) => {
    const digest = target.split("/blobs/")[1] ?? "";
    const count = tries.get(digest);
    if (method !== "GET" || count === undefined || count === 2) return undefined;
    tries.set(digest, count + 1);
    const bytes = registry.blobs.get(digest)!;
    const start = Number(/^bytes=(\d+)-$/.exec(headers.get("range") ?? "")?.[1] ?? 0);
    const part = bytes.slice(start, start + third(bytes.length));
    const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    return start === 0 ? broken(part) : broken(part, 206, { "content-range": range });
  };
}

const third = (length: number): number => Math.floor(length / 3);

/**
 * Creates a container, with connections that break in the middle of every layer: its tree is what
 * umoci unpacks of the same image, every blob is fetched once, and none is in the store.
 *
 * @param driver the options of the command line that name it
 */
export async function assertOneShot(work: Work, driver: readonly string[]): Promise<void> {
  const image = makeImage(work.path("image"));
  await must(["umoci", "unpack", "--image", `${image.dir}:v1`, work.path("unpacked")]);
  const tool = await Tool.inside(work, driver);
  await using registry = new FaultyRegistry();
  registry.handler = breaking(registry, image);
  const name = serve(registry, image);

  const json = await tool.json("create", "--tls-verify=false", "--name=once", name, "true");
  work.defer(() => must(tool.argv(["rm", "--force", "once"])));
  const created = json as unknown as Created;
  assertEquals([created.driver, created.source, created.warnings], [driver[1], "image", []]);
  assertEquals(created.layers, { total: 3, reused: 0, applied: 3 });
  await assertTree(created.rootfs, await readTree(work.path("unpacked/rootfs")));

  for (const digest of image.layerDigests) {
    const { length } = registry.blobs.get(digest)!;
    const asked = registry.asked.filter(({ target }) => target.endsWith(`/blobs/${digest}`));
    const ranges = asked.map(({ headers }) => headers.get("range"));
    assert(third(length) > 0);
    assertEquals(ranges, [null, `bytes=${third(length)}-`, `bytes=${2 * third(length)}-`]);
  }
  assertEquals(blobsIn(tool.store), []);
  assertEquals([...Deno.readDirSync(`${tool.store}/staging`)], []);
  assertEquals((await must(tool.argv(["images"]))).trim(), "[]");
  const { checked, problems } = await tool.json("fsck");
  assertEquals([(checked as { blobs: number }).blobs, problems], [0, []]);
}
