/** Memory, interruption, a killed process, a full disk: what is left behind, and what it takes. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  assertTree,
  image,
  Layerfs,
  must,
  outcome,
  referenceTree,
  run,
  start,
  Work,
} from "./harness.ts";

const MIB = 1024 * 1024;

/** Writes an OCI layout with one layer, the tar of `content`, compressed by `compress`. */
const ONE_LAYER = `
  mkdir -p "$1/blobs/sha256" "$1/tree" && cd "$1"
  eval "$2"
  tar -C tree -c . | tee >(sha256sum | cut -c1-64 >diff) | eval "$3" >layer
  rm -r tree
  blob() { sum=$(sha256sum <"$1" | cut -c1-64); size=$(stat -c %s "$1"); mv "$1" "blobs/sha256/$sum"; }
  oci=application/vnd.oci.image
  blob layer
  layer="{\\"mediaType\\":\\"$oci.layer.v1.tar+$4\\",\\"digest\\":\\"sha256:$sum\\",\\"size\\":$size}"
  printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["/x"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(cat diff)" >config
  blob config
  printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"sha256:%s","size":%s},"layers":[%s]}' $oci $oci "$sum" "$size" "$layer" >manifest
  blob manifest
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json","digest":"sha256:%s","size":%s}]}' $oci "$sum" "$size" >index.json
  printf '{"imageLayoutVersion":"1.0.0"}' >oci-layout`;

/** Contents of the layer, the program that compresses it, its name in media types, the engine. */
const LARGE: [string, string, string, string][] = [
  ["truncate -s 2G tree/file", "gzip -1", "gzip", "wasm"],
  [
    "head -c 2G /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 >tree/file 2>/dev/null",
    "zstd -q -1",
    "zstd",
    "native",
  ],
];

Deno.test("a layer with a file of 2 GiB goes through in less than 200 MiB of memory", async (t) => {
  for (const [make, compress, type, engine] of LARGE) {
    await t.step(`${type}, ${engine}`, async () => {
      await using work = await Work.create();
      const layerfs = await Layerfs.inside(work);
      await must(["bash", "-ec", ONE_LAYER, "layout", work.path("image"), make, compress, type]);
      const create = ["create", "--json", "--digest-engine", engine];
      const argv = layerfs.argv([...create, `oci:${work.path("image")}`]);
      const { code, stdout, stderr } = await run(["time", "-f", "peak %M KiB", ...argv]);
      assertEquals(code, 0, stderr);
      const size = await must(["stat", "-c", "%s", `${JSON.parse(stdout).rootfs}/file`]);
      assertEquals(Number(size), 2048 * MIB);
      const peak = Number(/peak (\d+) KiB/.exec(stderr)?.[1]) / 1024;
      assert(peak < 200, `${peak} MiB`);
    });
  }
});

/** Starts a create and waits until it has written some files, yet is far from its end. */
async function createHalfway(layerfs: Layerfs): Promise<Deno.ChildProcess> {
  const child = start(layerfs.argv(["create", "--json", "--name", "half", await image("debian")]));
  // Not contents(): files vanish while find looks.
  const count = `find "$1" 2>/dev/null | wc -l; true`;
  for (let tries = 0; tries < 600; tries++) {
    const files = Number(await must(["bash", "-c", count, "count", layerfs.store]));
    if (files > 1000) return child;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGKILL");
  throw new Error(`create wrote nothing: ${(await outcome(child)).stderr}`);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} in the middle of create leaves nothing behind`, async () => {
    await using work = await Work.create();
    const layerfs = await Layerfs.inside(work);
    const child = await createHalfway(layerfs);
    child.kill(signal);
    const { code, stdout } = await outcome(child);
    assertEquals(code, 130);
    assertEquals(JSON.parse(stdout).error.code, "interrupted");
    assertEquals(await layerfs.contents(), []);
  });
}

Deno.test("after SIGKILL the next command sweeps the litter, and create works", async () => {
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work);
  const child = await createHalfway(layerfs);
  child.kill("SIGKILL");
  await outcome(child);
  const created = await layerfs.create(["--name", "half", await image("debian")]);
  await assertTree(created.rootfs, await referenceTree());
  await must(layerfs.argv(["rm", "half"]));
  assertEquals(await layerfs.contents(), []);
});

Deno.test("a full disk: exit 7, nothing left behind, and the store goes on working", async () => {
  await using work = await Work.create();
  const layerfs = new Layerfs(
    (await Layerfs.inside(work)).command,
    `${await work.tmpfs("disk", "64m")}/store`,
  );
  const { code, stdout, stderr } = await layerfs.run(["create", "--json", await image("debian")]);
  assertEquals(code, 7, stdout + stderr);
  assertEquals(JSON.parse(stdout).error.code, "storage-full");
  assertStringIncludes(JSON.parse(stdout).error.message, "layer");
  assertEquals(await layerfs.contents(), []);
  await layerfs.create([await image("replaced"), "/bin/sh"]);
});

Deno.test("two creates at a time in one store do not disturb each other", async () => {
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work);
  const source = await image("debian");
  const names = ["first", "second", "second"];
  const create = (name: string) => layerfs.run(["create", "--json", "--name", name, source]);
  const outcomes = await Promise.all(names.map(create));
  assertEquals(outcomes[0]?.code, 0, outcomes[0]?.stdout);
  // One of the two that want the same name gets it; the other one is told.
  assertEquals(outcomes.slice(1).map(({ code }) => code).sort(), [0, 5]);
  for (const name of ["first", "second"]) {
    await assertTree(`${layerfs.store}/containers/${name}/rootfs`, await referenceTree());
  }
});
