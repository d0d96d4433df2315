/**
 * Images in and out, with skopeo, podman, buildah and a real registry on the other side: what they
 * write we read, the reverse, and blobs stay what they are.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { imageLayout, type Json } from "../fixtures/image.ts";
import { addBlob, addDocument, blobsIn, manyLayout, writeIndex } from "../transfer/harness.ts";
import { must, Work } from "./harness.ts";
import { RegistryServer } from "./registry_server.ts";
import { blob, IMAGE, rawDigest, skopeo, Tool, USER } from "./transfer_tool.ts";

const OCI = "application/vnd.oci.image";

Deno.test("round trips through every pair of formats, skopeo as the judge", async (t) => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  await using registry = await RegistryServer.start();
  const plain = ["--tls-verify=false"];
  for (const family of ["oci", "docker"] as const) {
    const image = imageLayout(work.path(`image-${family}`), { ...IMAGE, family });
    const place = (kind: string, id: string): string => ({
      oci: `oci:${work.path(id)}:v1`,
      "oci-archive": `oci-archive:${work.path(id)}.tar:v1`,
      "docker-archive": `docker-archive:${work.path(id)}.tar:example.org/app:v1`,
      docker: `docker://${registry.host}/${id}:v1`,
      store: `${id}:v1`,
    }[kind] ?? "");
    const kinds = ["oci", "oci-archive", "docker-archive", "docker", "store"];
    for (const from of kinds) {
      const source = place(from, `${family}-${from}`);
      await tool.json("copy", ...plain, image.reference, source);
      for (const to of kinds) {
        // Of the other family, every format as a source and as a destination does.
        if (family === "docker" && from !== "oci" && to !== "oci") continue;
        await t.step(`${family}: ${from} to ${to}`, async () => {
          const target = place(to, `${family}-${from}-${to}`);
          const copied = await tool.json("copy", ...plain, source, target);
          const judged = to === "store" ? `oci:${tool.store}:${target}` : target;
          const flags = to === "docker" ? plain : [];
          // skopeo takes no schema2 in a layout; that its bytes are there is seen at the end.
          const isRefused = family === "docker" && ["oci", "oci-archive", "store"].includes(to);
          assertEquals([copied.digest, copied.warnings], [image.manifestDigest, []]);
          if (to === "docker-archive") {
            // For skopeo, it has a config and layers only.
            const config = await must(["skopeo", "inspect", "--config", "--raw", judged]);
            const digest = createHash("sha256").update(config).digest("hex");
            assertEquals(`sha256:${digest}`, image.configDigest);
          } else if (!isRefused) {
            assertEquals(await rawDigest(judged, ...flags), image.manifestDigest);
          }
          const blobs = await tool.json("copy", ...plain, target, `oci:${work.path("end")}`);
          assertEquals((blobs.warnings as string[]).length, 0);
        });
      }
    }
    const digests = blobsIn(work.path("end"));
    for (const digest of [...image.layerDigests, image.configDigest, image.manifestDigest]) {
      assert(digests.includes(digest));
      const path = `${work.path("end")}/blobs/${digest.replace(":", "/")}`;
      await must(["cmp", path, `${image.dir}/blobs/${digest.replace(":", "/")}`]);
    }
    // Beside them is nothing, of whatever went through a docker-archive either.
    assertEquals(digests.length, image.layerDigests.length + 2);
    await must(["rm", "-rf", work.path("end")]);
  }
});

Deno.test("podman loads and buildah pulls our archives", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  // podman takes no path of more than 50 characters.
  const runroot = await Deno.makeTempDir({ prefix: "layerfs-run-" });
  await using _cleanUp = {
    [Symbol.asyncDispose]: () => Deno.remove(runroot, { recursive: true }),
  };
  const storage = [
    "--root",
    work.path("containers"),
    "--runroot",
    runroot,
    "--storage-driver=vfs",
  ];
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const layers = IMAGE.layers.map((layer) => ({ ...layer, compression }));
    const image = imageLayout(work.path(compression), { layers });
    for (const transport of ["docker-archive", "oci-archive"]) {
      const archive = work.path(`${compression}-${transport}.tar`);
      const name = transport === "docker-archive" ? `example.org/${compression}:1` : "v1";
      await tool.json("copy", image.reference, `${transport}:${archive}:${name}`);
      const id = image.configDigest.slice("sha256:".length);
      const loaded = await must(["podman", ...storage, "load", "--quiet", "--input", archive]);
      assertStringIncludes(loaded, name);
      const found = await must(["podman", ...storage, "images", "--no-trunc", "--quiet"]);
      assertStringIncludes(found, id, `${compression} ${transport}`);
      await must(["podman", ...storage, "rmi", "--all", "--force"]);
      const pulled = await must([
        "buildah",
        ...storage,
        "pull",
        "--quiet",
        `${transport}:${archive}`,
      ]);
      assertStringIncludes(pulled, id);
      await must(["buildah", ...storage, "rmi", "--all", "--force"]);
    }
  }
});

/** A registry, and the flags by which layerfs and skopeo reach it. */
interface Reach {
  server: RegistryServer;
  ours: string[];
  theirs: (side: "src" | "dest") => string[];
}

Deno.test("what others push we pull, and the reverse: plain, with TLS, with a password", async (t) => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const creds = `${USER.name}:${USER.password}`;
  for (const [tls, user] of [[false, false], [true, false], [false, true], [true, true]] as const) {
    await using server = await RegistryServer.start({ tls, ...(user ? { user: USER } : {}) });
    const certDir = server.certificates;
    const reach: Reach = {
      server,
      ours: [
        tls ? `--cert-dir=${certDir}` : "--tls-verify=false",
        ...(user ? [`--creds=${creds}`] : []),
      ],
      theirs: (side) => [
        tls ? `--${side}-cert-dir=${certDir}` : `--${side}-tls-verify=false`,
        ...(user ? [`--${side}-creds=${creds}`] : []),
      ],
    };
    await t.step(
      `TLS: ${tls}, password: ${user}`,
      () => exchange(work, tool, reach, `${tls}-${user}`),
    );
  }
});

async function exchange(work: Work, tool: Tool, reach: Reach, id: string): Promise<void> {
  const { server: { host }, ours, theirs } = reach;
  const image = imageLayout(work.path(`image-${id}`), IMAGE);
  await skopeo("copy", ...theirs("dest"), image.reference, `docker://${host}/theirs:1`);
  const pulled = await tool.json("pull", ...ours, `${host}/theirs:1`, "--as", `x:${id}`);
  assertEquals([pulled.digest, pulled.configDigest], [image.manifestDigest, image.configDigest]);
  for (const digest of blobsIn(image.dir)) {
    const path = digest.replace(":", "/");
    await must(["cmp", `${tool.store}/blobs/${path}`, `${image.dir}/blobs/${path}`]);
  }
  const again = await tool.json("pull", ...ours, `${host}/theirs:1`, "--as", `x:${id}`);
  assertEquals((again.copied as Json).blobs, 0);
  // Pushed by name, with no transport, as podman has it.
  const pushed = await tool.json("push", ...ours, `x:${id}`, `${host}/ours/app:2`);
  assertEquals([pushed.digest, (pushed.copied as Json).blobs], [image.manifestDigest, 4]);
  await skopeo(
    "copy",
    ...theirs("src"),
    `docker://${host}/ours/app:2`,
    `dir:${work.path(`dir-${id}`)}`,
  );
  await must([
    "cmp",
    `${work.path(`dir-${id}`)}/manifest.json`,
    blob(image.dir, image.manifestDigest),
  ]);
  // Of the same registry, blobs are mounted.
  const from = `docker://${host}/ours/app:2`;
  const mounted = await tool.json("copy", ...ours, from, `docker://${host}/mounted:1`);
  assertEquals([(mounted.copied as Json).blobs, (mounted.reused as Json).blobs], [1, 3]);
  const inspected = await tool.json(
    "inspect",
    ...ours,
    `docker://${host}/mounted@${image.manifestDigest}`,
  );
  assertEquals([inspected.digest, inspected.referrers], [image.manifestDigest, []]);
  const { valid } = await tool.json("validate", ...ours, from);
  assertEquals(valid, true);
  const missing = await tool.error(4, "pull", ...ours, `${host}/nothing:1`);
  assertEquals([missing.code, missing.registry, missing.repository], [
    "not-found",
    host,
    "nothing",
  ]);
  const storage = ["--root", work.path("c"), "--runroot", work.path("r"), "--storage-driver=vfs"];
  const flags = ours.map((flag) => flag.replace("--cert-dir=", "--cert-dir="));
  const buildah = await must(["buildah", ...storage, "pull", "--quiet", ...flags, from]);
  assertStringIncludes(buildah, image.configDigest.slice("sha256:".length));
  await must([
    "buildah",
    ...storage,
    "push",
    "--quiet",
    ...flags,
    buildah.trim(),
    `docker://${host}/back:1`,
  ]);
  const back = await tool.json("pull", ...ours, `${host}/back:1`, "--as", `back:${id}`);
  assertEquals(back.layers, 2);
  await must(["buildah", ...storage, "rmi", "--all", "--force"]);
}

Deno.test("indexes, artifacts and sha512 go to a registry and come back", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  await using server = await RegistryServer.start();
  const { host } = server;
  const plain = "--tls-verify=false";
  const many = manyLayout(work.path("many"));
  const artifact = addDocument(many.dir, {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    artifactType: "application/vnd.example.signature",
    config: addBlob(many.dir, new TextEncoder().encode("{}"), "application/vnd.oci.empty.v1+json"),
    layers: [addBlob(many.dir, new TextEncoder().encode("signed"), "application/vnd.example.data")],
    subject: many.manifests[0],
  }, `${OCI}.manifest.v1+json`);
  const nested = addDocument(many.dir, {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [many.index, artifact],
  }, `${OCI}.index.v1+json`);
  writeIndex(many.dir, [nested]);
  const pushed = await tool.json(
    "copy",
    "--all",
    plain,
    `oci:${many.dir}`,
    `docker://${host}/many:1`,
  );
  assertEquals(pushed.digest, nested.digest);
  // Distribution 2.8 lists no referrers: they stand under a tag.
  assertEquals(pushed.warnings, []);
  const [subject] = many.manifests;
  const tag = String(subject?.digest).replace(":", "-");
  const raw = await skopeo(
    "inspect",
    "--raw",
    "--tls-verify=false",
    `docker://${host}/many:${tag}`,
  );
  const listed = { ...artifact, artifactType: "application/vnd.example.signature" };
  assertEquals(JSON.parse(raw).manifests, [listed]);
  await tool.json("copy", "--all", plain, `docker://${host}/many:1`, `oci:${work.path("back")}:1`);
  assertEquals(blobsIn(work.path("back")), blobsIn(many.dir));
  const arm = await tool.json(
    "pull",
    plain,
    "--platform=linux/arm64",
    `${host}/many:1`,
    "--as=arm",
  );
  assertEquals(arm.digest, many.manifests[1]!.digest);
  const all = await tool.json("pull", "--all", plain, `${host}/many:1`, "--as=all");
  assertEquals([all.digest, all.configDigest, all.platform], [nested.digest, null, null]);
  const images = await tool.json("images");
  assert((images as unknown as Json[]).some(({ name }) => name === "all"));
  const alone = await tool.json(
    ...["copy", plain, `docker://${host}/many@${artifact.digest}`, `oci:${work.path("alone")}:a`],
  );
  assertEquals([alone.digest, (alone.copied as Json).blobs], [artifact.digest, 3]);
  // Distribution 2.8 takes sha512 for blobs, and names manifests by their sha256 only.
  const wide = imageLayout(work.path("wide"), { ...IMAGE, algorithm: "sha512" });
  const sent = await tool.json("copy", plain, wide.reference, `docker://${host}/wide:1`);
  assertStringIncludes(JSON.stringify(sent.warnings), wide.manifestDigest);
  await tool.json("copy", plain, `docker://${host}/wide:1`, `oci:${work.path("narrow")}:1`);
  const blobs = [...wide.layerDigests, wide.configDigest].sort();
  assertEquals(
    blobsIn(work.path("narrow")).filter((digest) => digest.startsWith("sha512:")),
    blobs,
  );
});

Deno.test("docker's lists come and go as they are", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  await using server = await RegistryServer.start();
  const { host } = server;
  const plain = "--tls-verify=false";
  const image = imageLayout(work.path("image"), { ...IMAGE, family: "docker" });
  const { manifests } = JSON.parse(await Deno.readTextFile(`${image.dir}/index.json`));
  const list = addDocument(image.dir, {
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifests,
  }, "application/vnd.docker.distribution.manifest.list.v2+json");
  writeIndex(image.dir, [list]);
  await tool.json("copy", "--all", plain, image.reference, `docker://${host}/list:1`);
  assertEquals(await rawDigest(`docker://${host}/list:1`, plain), list.digest);
  await skopeo(
    "copy",
    "--all",
    "--src-tls-verify=false",
    `docker://${host}/list:1`,
    `dir:${work.path("d")}`,
  );
  const back = await tool.json(
    "copy",
    "--all",
    plain,
    `docker://${host}/list:1`,
    `oci:${work.path("b")}:1`,
  );
  assertEquals(back.digest, list.digest);
  assertEquals(blobsIn(work.path("b")), blobsIn(image.dir));
});
