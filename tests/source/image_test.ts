import { assert, assertEquals } from "@std/assert";
import { isLocation } from "../../src/blob/content.ts";
import { createHash } from "node:crypto";
import { REF_NAME } from "../../src/oci/descriptor.ts";
import { formatPlatform, parsePlatform } from "../../src/oci/platform.ts";
import { resolveImage } from "../../src/source/image.ts";
import {
  blobPath,
  digestOf,
  imageLayout,
  type ImageSpec,
  type Json,
  ociArchive,
} from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { readLocation, refuses, withDirectory } from "./scratch.ts";

const AMD64 = parsePlatform("linux/amd64");
const TAR = tarball([file("a", "1")]);
const TOP = tarball([file("b", "2")]);
const INDEX = "application/vnd.oci.image.index.v1+json";

async function withImage(
  spec: Partial<ImageSpec>,
  test: (reference: string, dir: string) => unknown,
): Promise<void> {
  await withDirectory(async (dir) => {
    const image = imageLayout(`${dir}/layout`, { layers: [{ tar: TAR }], ...spec });
    await test(image.reference, image.dir);
  });
}

/** Adds a document to a layout and returns its descriptor. */
function add(dir: string, mediaType: string, value: unknown): Json {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const digest = digestOf(bytes);
  Deno.writeFileSync(blobPath(dir, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

/** Makes one layout with an image for each platform; returns their descriptors. */
function platforms(dir: string, names: string[]): Json[] {
  return names.map((name) => {
    const [os, architecture, variant] = name.split("/");
    imageLayout(dir, {
      layers: [{ tar: tarball([file("platform", name)]) }],
      config: (config) => Object.assign(config, { os, architecture, variant }),
    });
    const { manifests } = JSON.parse(Deno.readTextFileSync(`${dir}/index.json`));
    return { ...manifests[0], platform: { os, architecture, variant } };
  });
}

function writeIndex(dir: string, manifests: Json[]): void {
  const index = { schemaVersion: 2, mediaType: INDEX, manifests };
  Deno.writeTextFileSync(`${dir}/index.json`, JSON.stringify(index));
}

function withoutPlatform(descriptor: Json): Json {
  return { ...descriptor, platform: undefined };
}

/** The platform of the image that is chosen. */
async function chosen(dir: string, wanted: string): Promise<string> {
  return formatPlatform((await resolveImage(`oci:${dir}`, parsePlatform(wanted))).platform);
}

Deno.test("an image of both families, both algorithms and every compression", async () => {
  for (const family of ["oci", "docker"] as const) {
    for (const algorithm of ["sha256", "sha512"] as const) {
      for (const compression of ["none", "gzip", "zstd"] as const) {
        await withDirectory(async (dir) => {
          const layers = [{ tar: TAR, compression }, { tar: TOP, compression }];
          const built = imageLayout(`${dir}/layout`, { family, algorithm, layers });
          const image = await resolveImage(built.reference, AMD64);
          assertEquals(image.digest as string, built.manifestDigest);
          assertEquals(image.configDigest as string, built.configDigest);
          assertEquals(image.layers.map(({ digest }) => String(digest)), built.layerDigests);
          assertEquals(image.layers.map(({ diffId }) => String(diffId)), built.diffIds);
          for (const { content, digest } of image.layers) {
            assertEquals(digestOf(readLocation(content), algorithm), String(digest));
          }
          const [base, top] = built.diffIds;
          const chain = createHash("sha256").update(`${base} ${top}`).digest("hex");
          assertEquals(image.chainId as string, `sha256:${chain}`);
          assertEquals(image.layers[0]?.chainId as string, base);
          assertEquals(formatPlatform(image.platform), "linux/amd64");
        });
      }
    }
  }
});

Deno.test("an archive of a layout gives the same image, read in place", async () => {
  await withImage({}, async (reference, dir) => {
    const archive = ociArchive(`${dir}/../a.tar`, dir);
    const [plain, archived] = [
      await resolveImage(reference, AMD64),
      await resolveImage(archive, AMD64),
    ];
    assertEquals(archived.digest, plain.digest);
    const { content } = archived.layers[0]!;
    assert(isLocation(content));
    assertEquals(content.path, Deno.realPathSync(`${dir}/../a.tar`));
    assertEquals(readLocation(content), TAR);
  });
});

Deno.test("the platform chooses among entries of one tag, and within a nested index", async () => {
  await withDirectory(async (dir) => {
    const names = ["linux/arm64", "linux/arm/v6", "linux/amd64", "linux/amd64/v3"];
    const entries = platforms(dir, names);
    const flat = () => writeIndex(dir, entries);
    const nested = () => {
      const inner = add(dir, INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: entries });
      writeIndex(dir, [{ ...inner, annotations: { [REF_NAME]: "v1" } }]);
    };
    const split = () => {
      const inner = add(dir, INDEX, { schemaVersion: 2, manifests: entries.slice(1) });
      writeIndex(dir, [entries[0]!, inner]);
    };
    const unlabelled = () => writeIndex(dir, entries.map(withoutPlatform));
    for (const arrange of [flat, nested, split, unlabelled]) {
      arrange();
      assertEquals(await chosen(dir, "linux/amd64"), "linux/amd64");
      assertEquals(await chosen(dir, "linux/amd64/v3"), "linux/amd64/v3");
      assertEquals(await chosen(dir, "linux/amd64/v4"), "linux/amd64/v3");
      assertEquals(await chosen(dir, "linux/arm64/v8"), "linux/arm64");
      assertEquals(await chosen(dir, "linux/arm/v7"), "linux/arm/v6");
      await refuses(
        () => chosen(dir, "linux/riscv64"),
        "platform-not-found",
        'Cannot find an image for "linux/riscv64"',
        "linux/arm64, linux/arm/v6, linux/amd64, linux/amd64/v3",
        "--platform OS/ARCH",
      );
    }
  });
});

Deno.test("two entries for one platform: the first counts", async () => {
  await withDirectory(async (dir) => {
    const [first] = platforms(dir, ["linux/amd64"]);
    const [second] = platforms(dir, ["linux/amd64/v1"]);
    writeIndex(dir, [first!, { ...second, platform: first!.platform }]);
    assertEquals((await resolveImage(`oci:${dir}`, AMD64)).digest as string, first!.digest);
  });
});

Deno.test("an index for another platform is not even read", async () => {
  await withDirectory(async (dir) => {
    const [image] = platforms(dir, ["linux/amd64"]);
    const other = {
      mediaType: INDEX,
      digest: `sha256:${"0".repeat(64)}`,
      size: 2,
      platform: { os: "linux", architecture: "s390x" },
    };
    writeIndex(dir, [other, image!]);
    assertEquals(await chosen(dir, "linux/amd64"), "linux/amd64");
  });
});

Deno.test("attestations and artifacts beside an image are passed over", async () => {
  await withDirectory(async (dir) => {
    const [image] = platforms(dir, ["linux/amd64"]);
    const empty = add(dir, "application/vnd.oci.empty.v1+json", {});
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const artifact = add(dir, mediaType, {
      schemaVersion: 2,
      mediaType,
      artifactType: "application/vnd.example",
      config: empty,
      layers: [empty],
    });
    const attestation = { ...image, platform: { os: "unknown", architecture: "unknown" } };
    for (const labelled of [image!, withoutPlatform(image!)]) {
      writeIndex(dir, [artifact, attestation, labelled]);
      assertEquals(await chosen(dir, "linux/amd64"), "linux/amd64");
    }
    writeIndex(dir, [artifact]);
    await refuses(
      () => chosen(dir, "linux/amd64"),
      "unsupported",
      'the type of its config is "application/vnd.oci.empty.v1+json"',
      "not a container image",
    );
    writeIndex(dir, [attestation]);
    await refuses(() => chosen(dir, "linux/amd64"), "platform-not-found", "unknown/unknown");
  });
});

Deno.test("a platform of empty strings is none: the config tells", async () => {
  await withImage({
    index: (index) => (index.manifests as Json[])[0]!.platform = { os: "", architecture: "" },
  }, async (_, dir) => {
    assertEquals(await chosen(dir, "linux/amd64"), "linux/amd64");
    await refuses(() => chosen(dir, "linux/s390x"), "platform-not-found", "there is linux/amd64");
  });
});

Deno.test("counts of layers and diffIDs must agree", async () => {
  const config = (json: Json) => (json.rootfs as Json).diff_ids = [];
  await withImage({ config }, async (reference) => {
    await refuses(() => resolveImage(reference, AMD64), "image-invalid");
  });
});

Deno.test("an image without layers has no chain", async () => {
  await withImage({ layers: [] }, async (reference) => {
    const image = await resolveImage(reference, AMD64);
    assertEquals([image.layers.length, image.chainId], [0, null]);
  });
});

Deno.test("a layer that is no tar is refused with its type", async () => {
  const mediaType = "application/vnd.example.layer";
  await withImage({ layers: [{ tar: TAR }, { tar: TOP, mediaType }] }, async (reference) => {
    await refuses(
      () => resolveImage(reference, AMD64),
      "unsupported",
      "Cannot use layer 1 (sha256:",
      `"${mediaType}"`,
    );
  });
});

Deno.test("a missing layer is found out before anything is unpacked", async () => {
  await withImage({ layers: [{ tar: TAR }, { tar: TOP, missing: true }] }, async (reference) => {
    await refuses(() => resolveImage(reference, AMD64), "image-invalid", digestOf(TOP));
  });
});

Deno.test("documents that were changed are refused by size or digest", async () => {
  await withImage({}, async (reference, dir) => {
    const image = await resolveImage(reference, AMD64);
    for (const digest of [image.digest!, image.configDigest]) {
      const path = blobPath(dir, digest);
      const right = Deno.readFileSync(path);
      const changed = right.slice();
      changed[changed.length - 2]! ^= 1;
      Deno.writeFileSync(path, changed);
      await refuses(() => resolveImage(reference, AMD64), "digest-mismatch", digest);
      Deno.writeFileSync(path, right.subarray(1));
      await refuses(() => resolveImage(reference, AMD64), "size-mismatch", digest);
      Deno.writeFileSync(path, right);
    }
    await resolveImage(reference, AMD64);
  });
});

Deno.test("a config is not parsed by a type that is not its own", async () => {
  const manifest = (json: Json) => (json.config as Json).mediaType = "application/vnd.example+json";
  await withImage({ manifest, rawConfig: () => "not JSON" }, async (reference) => {
    await refuses(() => resolveImage(reference, AMD64), "unsupported", "application/vnd.example");
  });
});

Deno.test("registries and the store are told apart from files", async () => {
  for (const reference of ["alpine:3.19", "ghcr.io/x/y@" + digestOf(TAR)]) {
    await refuses(() => resolveImage(reference, AMD64), "not-found", "docker://HOST/NAME");
  }
  // A registry is asked, as far as Deno may.
  await refuses(() => resolveImage("docker://alpine", AMD64), "permission-missing", "docker.io");
  await refuses(() => resolveImage("oci:", AMD64), "usage");
});
