import { assertEquals } from "@std/assert";
import { REF_NAME } from "../../src/oci/descriptor.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { type LayoutReference, parseReference } from "../../src/oci/reference.ts";
import { openSource } from "../../src/source/open.ts";
import { LayoutDirectory } from "../../src/source/layout_directory.ts";
import type { DescriptorSource } from "../../src/source/source.ts";
import {
  blobPath,
  type BuiltImage,
  digestOf,
  imageLayout,
  type ImageSpec,
  type Json,
  WRONG_DIGEST,
} from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { readLocation, refuses, withDirectory } from "./scratch.ts";

const TAR = tarball([file("a", "content")]);

/** Builds a layout of one layer and opens it; `suffix` is what stands after the path. */
async function withLayout(
  spec: Partial<ImageSpec>,
  test: (source: () => Promise<DescriptorSource>, image: BuiltImage) => unknown,
  suffix = "",
): Promise<void> {
  await withDirectory(async (dir) => {
    const image = imageLayout(`${dir}/layout`, { layers: [{ tar: TAR }], ...spec });
    const open = async () =>
      await openSource(parseReference(image.reference + suffix)) as DescriptorSource;
    await test(open, image);
  });
}

Deno.test("documents and layers of a layout are found and verified", async () => {
  for (const algorithm of ["sha256", "sha512"] as const) {
    await withLayout({ algorithm }, async (open, image) => {
      await using source = await open();
      const [manifest] = await source.index();
      assertEquals(manifest?.digest as string, image.manifestDigest);
      const bytes = await source.document(manifest!);
      assertEquals(digestOf(bytes, algorithm), image.manifestDigest);
      const digest = parseDigest(image.layerDigests[0]!);
      const location = source.locate({ mediaType: "a/b", digest, size: TAR.length });
      assertEquals(readLocation(location), TAR);
    });
  }
});

Deno.test("the reference is told in full", async () => {
  await withLayout({}, async (open, image) => {
    assertEquals((await open()).reference, `oci:${image.dir}:v1`);
  }, ":v1");
});

Deno.test("a digest that only a nested index names is found", async () => {
  const nest = (index: Json) => index;
  await withLayout({ index: nest }, async (_, image) => {
    // Puts the image's index below an index of its own.
    const inner = Deno.readFileSync(`${image.dir}/index.json`);
    const digest = digestOf(inner);
    Deno.writeFileSync(blobPath(image.dir, digest), inner);
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const entry = { mediaType, digest, size: inner.length, annotations: { [REF_NAME]: "v1" } };
    const outer = { schemaVersion: 2, mediaType, manifests: [entry] };
    Deno.writeTextFileSync(`${image.dir}/index.json`, JSON.stringify(outer));
    const wanted = parseReference(`${image.reference}@${image.manifestDigest}`);
    const source = await openSource(wanted) as DescriptorSource;
    assertEquals((await source.index()).map((found) => found.digest as string), [
      image.manifestDigest,
    ]);
    const absent = await openSource(parseReference(`${image.reference}@${WRONG_DIGEST}`));
    await refuses(
      () => (absent as DescriptorSource).index(),
      "not-found",
      `Cannot find ${WRONG_DIGEST} in`,
      'no index names it; there is "v1"',
    );
  });
});

Deno.test("what is no layout is refused, with what is missing", async () => {
  await withDirectory(async (dir) => {
    const open = (path: string) => openSource(parseReference(`oci:${path}`));
    await refuses(() => open(`${dir}/absent`), "not-found", `image layout "${dir}/absent"`);
    await refuses(() => open(dir), "image-invalid", 'it has no "oci-layout"');
    Deno.writeTextFileSync(`${dir}/file`, "");
    await refuses(() => open(`${dir}/file`), "image-invalid", "not a directory", "oci-archive:");
  });
  await withLayout({}, async (open, image) => {
    Deno.removeSync(`${image.dir}/index.json`);
    await refuses(async () => (await open()).index(), "image-invalid", 'it has no "index.json"');
  });
});

Deno.test("oci-layout must be of the version that there is", async () => {
  const cases: [Partial<ImageSpec>, "unsupported" | "image-invalid", string][] = [
    [{ layout: (json) => json.imageLayoutVersion = "2.0.0" }, "unsupported", '"2.0.0"'],
    [{ layout: (json) => json.imageLayoutVersion = 1 }, "image-invalid", "not a string"],
    [{ layout: (json) => delete json.imageLayoutVersion }, "image-invalid", "missing"],
    [{ rawLayout: () => "[]" }, "image-invalid", "not an object"],
    [{ rawLayout: () => "" }, "image-invalid", "not JSON"],
    [
      { rawLayout: () => '{"imageLayoutVersion":"1.0.0","imageLayoutVersion":"2"}' },
      "image-invalid",
      "twice",
    ],
    [{ rawLayout: () => "x".repeat(9 << 20) }, "image-invalid", "8388608 at most"],
  ];
  for (const [spec, code, message] of cases) {
    await withLayout(spec, (open) => refuses(open, code, message));
  }
});

Deno.test("index.json beyond the cap is not read", async () => {
  await withLayout({ rawIndex: () => " ".repeat((8 << 20) + 1) }, async (open) => {
    await refuses(
      async () => (await open()).index(),
      "image-invalid",
      "Cannot read index.json",
      "8388608 at most",
    );
  });
});

Deno.test("a missing blob is told with its type, and where it may be", async () => {
  await withLayout({ layers: [{ tar: TAR, missing: true }] }, async (open, image) => {
    const digest = parseDigest(image.layerDigests[0]!);
    const layer = { mediaType: "application/x.layer", digest, size: TAR.length };
    await refuses(
      async () => (await open()).locate(layer),
      "image-invalid",
      `Cannot find ${digest} (application/x.layer) in "${image.dir}"`,
      "copy the whole image",
    );
    const urls = ["https://example.org/l"];
    await refuses(async () => (await open()).locate({ ...layer, urls }), "image-invalid", urls[0]!);
  });
});

Deno.test("a blob of another size than announced is refused before it is read", async () => {
  await withLayout({}, async (open, image) => {
    const digest = parseDigest(image.layerDigests[0]!);
    for (const size of [0, TAR.length - 1, TAR.length + 1]) {
      await refuses(
        async () => (await open()).locate({ mediaType: "a/b", digest, size }),
        "size-mismatch",
        `it has ${TAR.length} bytes, its descriptor says ${size}`,
      );
    }
  });
});

Deno.test("a digest of an algorithm that is not computed names no path", async () => {
  await withLayout({}, async (open) => {
    for (
      const text of [
        `blake3:${"a".repeat(64)}`,
        "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
      ]
    ) {
      const digest = parseDigest(text);
      await refuses(
        async () => (await open()).locate({ mediaType: "a/b", digest, size: 1 }),
        "unsupported",
        text,
      );
    }
  });
});

/** Replaces a file or directory of the layout by something else, which leads out of it. */
type Replace = (path: string, dir: string) => void | Promise<unknown>;

const bySymlink: Replace = (path, dir) => {
  Deno.renameSync(path, `${dir}/outside`);
  Deno.symlinkSync(`${dir}/outside`, path);
};

Deno.test("nothing in a layout may be a symlink, a FIFO or a device", async () => {
  const byFifo: Replace = async (path) => {
    Deno.removeSync(path);
    await new Deno.Command("mkfifo", { args: [path] }).output();
  };
  const byDevice: Replace = (path) => {
    Deno.removeSync(path);
    Deno.symlinkSync("/dev/zero", path);
  };
  const byDirectory: Replace = (path) => {
    Deno.removeSync(path);
    Deno.mkdirSync(path);
  };
  for (const replace of [bySymlink, byFifo, byDevice, byDirectory]) {
    for (const name of ["oci-layout", "index.json", "manifest", "config", "layer"]) {
      await withLayout({}, async (open, image) => {
        const digests: Record<string, string | undefined> = {
          manifest: image.manifestDigest,
          config: image.configDigest,
          layer: image.layerDigests[0],
        };
        const digest = digests[name];
        const path = digest === undefined ? `${image.dir}/${name}` : blobPath(image.dir, digest);
        const { size } = Deno.statSync(path);
        await replace(path, `${image.dir}/..`);
        await refuses(
          async () => {
            const source = await open();
            await source.index();
            if (digest === undefined) return;
            source.locate({ mediaType: "a/b", digest: parseDigest(digest), size });
          },
          "image-invalid",
          "is not a regular file",
        );
      });
    }
  }
});

Deno.test("the directories of the blobs may not be symlinks either", async () => {
  for (const name of ["blobs", "blobs/sha256"]) {
    await withLayout({}, async (open, image) => {
      bySymlink(`${image.dir}/${name}`, `${image.dir}/..`);
      const digest = parseDigest(image.layerDigests[0]!);
      await refuses(
        async () => (await open()).locate({ mediaType: "a/b", digest, size: TAR.length }),
        "image-invalid",
        `"${name}" is not a directory`,
      );
    });
  }
});

Deno.test("the path that the user gives may be a symlink", async () => {
  await withLayout({}, async (_, image) => {
    Deno.symlinkSync(image.dir, `${image.dir}/../link`);
    const wanted = parseReference(`oci:${image.dir}/../link`) as LayoutReference;
    const source = await openSource(wanted) as DescriptorSource;
    assertEquals((await source.index()).length, 1);
    const files = new LayoutDirectory(wanted.path);
    // Without symlinks, so that what is opened later is what was checked now.
    assertEquals(files.locate("index.json")?.path, `${Deno.realPathSync(image.dir)}/index.json`);
    assertEquals(files.locate("absent"), null);
    assertEquals(files.locate("absent/file"), null);
  });
});

Deno.test("files that are no part of a layout are no error", async () => {
  await withLayout({}, async (open, image) => {
    Deno.writeTextFileSync(`${image.dir}/README`, "extra");
    Deno.writeTextFileSync(`${image.dir}/blobs/sha256/extra`, "extra");
    assertEquals((await (await open()).index()).length, 1);
  });
});
