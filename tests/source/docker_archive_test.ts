import { assertEquals } from "@std/assert";
import { parsePlatform } from "../../src/oci/platform.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { resolveImage } from "../../src/source/image.ts";
import { openSource } from "../../src/source/open.ts";
import type { DockerImage, DockerSource } from "../../src/source/source.ts";
import {
  digestOf,
  dockerArchive,
  type DockerArchiveSpec,
  imageLayout,
  type Json,
  ociArchive,
  WRONG_DIGEST,
} from "../fixtures/image.ts";
import { file, hardlink, symlink, tarball } from "../fixtures/tar.ts";
import { readLocation, refuses, withDirectory } from "./scratch.ts";

const BASE = tarball([file("base", "1")]);
const TOP = tarball([file("top", "2")]);

/** Writes an archive; the function it gives opens it, with what stands after its path. */
async function withArchive(
  spec: Partial<DockerArchiveSpec>,
  test: (open: (suffix?: string) => Promise<DockerImage>, reference: string) => unknown,
): Promise<void> {
  await withDirectory(async (dir) => {
    const reference = dockerArchive(`${dir}/a.tar`, { layers: [BASE, TOP], ...spec });
    await test(async (suffix = "") => {
      await using source = await openSource(parseReference(reference + suffix)) as DockerSource;
      return await source.image();
    }, reference);
  });
}

/** Writes an archive of these members alone. */
async function withMembers(
  members: Uint8Array[],
  test: (reference: string) => unknown,
): Promise<void> {
  await withDirectory(async (dir) => {
    Deno.writeFileSync(`${dir}/a.tar`, tarball(members));
    await test(`docker-archive:${dir}/a.tar`);
  });
}

function configFor(layers: Uint8Array[]): string {
  return JSON.stringify({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
  });
}

function manifestOf(config: string, layers: string[]): Uint8Array {
  return file(
    "manifest.json",
    JSON.stringify([{ Config: config, RepoTags: null, Layers: layers }]),
  );
}

Deno.test("config and layers are found, base first, with the bytes that they have", async () => {
  await withArchive({}, async (open) => {
    const image = await open();
    assertEquals(image.config.rootfs.diffIds.map(String), [digestOf(BASE), digestOf(TOP)]);
    assertEquals(image.layers.map(({ location }) => readLocation(location)), [BASE, TOP]);
    assertEquals(image.layers.map(({ digest }) => digest), [null, null]);
  });
});

Deno.test("tags choose by their full name, whichever way they are written", async () => {
  const manifest = (entries: Json[]) => {
    const [entry] = entries;
    entries.push({ ...entry, RepoTags: ["quay.io/x/y:v2"], Layers: [], Config: "missing.json" });
  };
  const tags = ["alpine:3.19", "docker.io/library/alpine:latest"];
  await withArchive({ tags, manifest }, async (open) => {
    for (
      const name of ["alpine:3.19", "alpine", "docker.io/alpine:latest", "library/alpine:3.19"]
    ) {
      assertEquals((await open(`:${name}`)).layers.length, 2);
    }
    await refuses(() => open(":quay.io/x/y:v2"), "image-invalid", '"missing.json"');
    await refuses(
      () => open(":debian"),
      "not-found",
      'Cannot find "docker.io/library/debian:latest"',
      'there is "alpine:3.19", "docker.io/library/alpine:latest", "quay.io/x/y:v2"',
    );
    await refuses(
      () => open(),
      "conflict",
      "Cannot choose an image",
      "docker-archive:",
      ":REPO:TAG",
    );
  });
});

Deno.test("an image without tags is taken when it is the only one", async () => {
  await withArchive({ tags: [] }, async (open) => {
    assertEquals((await open()).layers.length, 2);
    await refuses(() => open(":x"), "not-found", "an image without a tag");
  });
});

Deno.test("layers of old archives are links to those of other images", async () => {
  const config = configFor([BASE, BASE, BASE]);
  const name = `${digestOf(new TextEncoder().encode(config)).slice(7)}.json`;
  const members = [
    file("1/layer.tar", BASE),
    symlink("2/layer.tar", "../1/layer.tar"),
    hardlink("3/layer.tar", "1/layer.tar"),
    file(name, config),
    manifestOf(name, ["./1/layer.tar", "2/layer.tar", "/3/layer.tar"]),
  ];
  await withMembers(members, async (reference) => {
    const source = await openSource(parseReference(reference)) as DockerSource;
    const { layers } = await source.image();
    assertEquals(layers.map(({ location }) => readLocation(location)), [BASE, BASE, BASE]);
  });
});

Deno.test("Docker 25 names its blobs by digest: those are kept, to be verified", async () => {
  const config = new TextEncoder().encode(configFor([BASE]));
  const blob = (bytes: Uint8Array) => `blobs/sha256/${digestOf(bytes).slice(7)}`;
  const members = [
    file(blob(BASE), BASE),
    file(blob(config), config),
    file("oci-layout", '{"imageLayoutVersion":"1.0.0"}'),
    manifestOf(blob(config), [blob(BASE)]),
  ];
  await withMembers(members, async (reference) => {
    const image = await resolveImage(reference, parsePlatform("linux/amd64"));
    assertEquals(image.configDigest as string, digestOf(config));
    const [layer] = image.layers;
    assertEquals([layer?.digest as string, layer?.size], [digestOf(BASE), BASE.length]);
    assertEquals([image.digest, image.manifest, layer?.descriptor], [null, null, null]);
    assertEquals(image.chainId as string, digestOf(BASE));
  });
});

Deno.test("a config whose name is another digest than its own is refused", async () => {
  for (const name of [`${WRONG_DIGEST.slice(7)}.json`, `blobs/sha256/${WRONG_DIGEST.slice(7)}`]) {
    const members = [file("l", BASE), file(name, configFor([BASE])), manifestOf(name, ["l"])];
    await withMembers(members, async (reference) => {
      const source = await openSource(parseReference(reference)) as DockerSource;
      await refuses(() => source.image(), "digest-mismatch", `Cannot verify config "${name}"`);
    });
  }
  // A name that claims nothing.
  await withMembers(
    [file("l", BASE), file("c.json", configFor([BASE])), manifestOf("c.json", ["l"])],
    async (reference) => {
      const source = await openSource(parseReference(reference)) as DockerSource;
      assertEquals((await source.image()).layers.length, 1);
    },
  );
});

Deno.test("counts of layers and diffIDs must agree", async () => {
  const drop = (entries: Json[]) => void (entries[0]!.Layers as string[]).pop();
  await withArchive({ manifest: drop }, (open) => refuses(open, "image-invalid", "2", "1"));
});

Deno.test("a manifest.json that is wrong is told with its place", async () => {
  const cases: [(entries: Json[]) => void, string][] = [
    [(entries) => delete entries[0]!.Config, "[0].Config is missing"],
    [(entries) => entries[0]!.Layers = "x", "[0].Layers"],
    [(entries) => entries[0]!.Layers = [1], "[0].Layers[0] is 1"],
    [(entries) => entries[0]!.RepoTags = {}, "[0].RepoTags"],
    [(entries) => entries[0]!.Config = "../../etc/passwd", "no such member"],
    [(entries) => entries[0]!.Config = "/etc/passwd", "no such member"],
    [(entries) => entries[0]!.Layers = ["../x", "/etc/passwd"], "no such member"],
  ];
  for (const [manifest, message] of cases) {
    await withArchive({ manifest }, (open) => refuses(open, "image-invalid", message));
  }
  const many = (entries: Json[]) => entries[0]!.Layers = Array(4097).fill("0/layer.tar");
  await withArchive({ manifest: many }, (open) => refuses(open, "unsupported", "4097 entries"));
  await withMembers([file("manifest.json", "{}")], async (reference) => {
    const source = await openSource(parseReference(reference)) as DockerSource;
    await refuses(() => source.image(), "image-invalid", "not an array");
  });
  await withMembers([file("manifest.json", "[]")], async (reference) => {
    const source = await openSource(parseReference(reference)) as DockerSource;
    await refuses(() => source.image(), "not-found", "there is no image");
  });
});

Deno.test("a manifest.json that is there twice is refused", async () => {
  await withArchive({ entries: [file("manifest.json", "[]")] }, async (open) => {
    await refuses(open, "image-invalid", '"manifest.json" is in it twice');
  });
});

Deno.test("archives of other kinds are refused with what to do", async () => {
  await withDirectory(async (dir) => {
    imageLayout(`${dir}/layout`, { layers: [{ tar: BASE }] });
    ociArchive(`${dir}/oci.tar`, `${dir}/layout`);
    const open = (name: string) => openSource(parseReference(`docker-archive:${dir}/${name}`));
    await refuses(() => open("oci.tar"), "usage", `use oci-archive:${dir}/oci.tar`);
    Deno.writeFileSync(`${dir}/old.tar`, tarball([file("repositories", "{}")]));
    await refuses(() => open("old.tar"), "unsupported", "before Docker 1.10");
    Deno.writeFileSync(`${dir}/other.tar`, tarball([file("x", "")]));
    await refuses(() => open("other.tar"), "image-invalid", 'it has no "manifest.json"');
  });
});

Deno.test("the platform is that of the config", async () => {
  const config = (json: Json) => json.architecture = "arm64";
  await withArchive({ config }, async (_, reference) => {
    const image = await resolveImage(reference, parsePlatform("linux/arm64"));
    assertEquals([image.platform.architecture, image.layers[0]?.size], ["arm64", null]);
    await refuses(
      () => resolveImage(reference, parsePlatform("linux/amd64")),
      "platform-not-found",
      'Cannot find an image for "linux/amd64"',
      "there is linux/arm64",
      "--platform",
    );
  });
});
