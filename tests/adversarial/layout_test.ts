/** Layouts and archives: files that are missing, or that are not what they are called. */

import type { ErrorCode } from "../../src/errors.ts";
import {
  blobPath,
  type BuiltImage,
  dockerArchive,
  type DockerArchiveSpec,
  imageLayout,
  type ImageSpec,
  type Json,
  ociArchive,
} from "../fixtures/image.ts";
import { dir, fifo, file, hardlink, symlink, tarball } from "../fixtures/tar.ts";
import { d, f, output } from "../fixtures/tree.ts";
import {
  assertCreated,
  assertRefused,
  becomes,
  GOOD_LAYER,
  prepared,
  rejects,
  withWorkspace,
  type Workspace,
} from "./harness.ts";

const TREE = { etc: d(), "etc/motd": f("good\n") };
// Not the layer that the store has already: its blob would not be looked at.
const OTHER = tarball([...GOOD_LAYER, file("other")]);
const OTHER_TREE = { ...TREE, other: f() };
const IMAGE: ImageSpec = { layers: [{ tar: OTHER }] };

/** Registers a test: the layout is refused after `change`. */
function refused(
  name: string,
  change: (dir: string, image: BuiltImage) => void,
  says: readonly string[],
  code: ErrorCode = "image-invalid",
  spec: Partial<ImageSpec> = {},
): void {
  rejects(name, { ...IMAGE, ...spec, after: change }, { code, says });
}

/** Registers a test: the layout is as good after `change`. */
function accepted(name: string, change: (dir: string, image: BuiltImage) => void): void {
  becomes(name, { ...IMAGE, after: change }, { tree: OTHER_TREE });
}

const PARTS = ["oci-layout", "index.json", "manifest", "config", "layer"] as const;

function pathOf(part: typeof PARTS[number], dir: string, image: BuiltImage): string {
  if (part === "manifest") return blobPath(dir, image.manifestDigest);
  if (part === "config") return blobPath(dir, image.configDigest);
  if (part === "layer") return blobPath(dir, image.layerDigests[0] ?? "");
  return `${dir}/${part}`;
}

for (const part of PARTS) {
  const isBlob = !["oci-layout", "index.json"].includes(part);
  refused(
    `${part} is missing`,
    (dir, image) => Deno.removeSync(pathOf(part, dir, image)),
    [isBlob ? "sha256:" : part],
  );
  refused(
    `${part} is a symlink to the very same content`,
    (dir, image) => {
      const path = pathOf(part, dir, image);
      Deno.renameSync(path, `${dir}/../elsewhere`);
      Deno.symlinkSync(`${dir}/../elsewhere`, path);
    },
    [],
    "image-invalid",
  );
  refused(`${part} is a symlink within the layout`, (dir, image) => {
    const path = pathOf(part, dir, image);
    Deno.renameSync(path, `${dir}/moved`);
    Deno.symlinkSync(isBlob ? "../../moved" : "moved", path);
  }, []);
  refused(`${part} is a symlink to an endless device`, (dir, image) => {
    const path = pathOf(part, dir, image);
    Deno.removeSync(path);
    Deno.symlinkSync("/dev/zero", path);
  }, []);
  refused(`${part} is a dangling symlink`, (dir, image) => {
    const path = pathOf(part, dir, image);
    Deno.removeSync(path);
    Deno.symlinkSync("no/where", path);
  }, []);
  refused(`${part} is a directory`, (dir, image) => {
    const path = pathOf(part, dir, image);
    Deno.removeSync(path);
    Deno.mkdirSync(path);
  }, []);
  refused(`${part} is a FIFO without a writer`, (dir, image) => {
    const path = pathOf(part, dir, image);
    Deno.removeSync(path);
    new Deno.Command("mkfifo", { args: [path] }).outputSync();
  }, []);
}
for (const name of ["blobs", "blobs/sha256"]) {
  refused(`${name} is missing`, (dir) => Deno.removeSync(`${dir}/${name}`, { recursive: true }), [
    "sha256:",
  ]);
  refused(`${name} is a symlink out of the layout`, (dir) => {
    Deno.renameSync(`${dir}/${name}`, `${dir}/../elsewhere`);
    Deno.symlinkSync(`${dir}/../elsewhere`, `${dir}/${name}`);
  }, [name]);
}
refused(
  "an unknown version of the layout",
  () => {},
  ["imageLayoutVersion", "2.0.0"],
  "unsupported",
  {
    layout: (json) => {
      json.imageLayoutVersion = "2.0.0";
    },
  },
);
refused("no version of the layout", () => {}, ["imageLayoutVersion"], "image-invalid", {
  layout: (json) => {
    delete json.imageLayoutVersion;
  },
});
refused("an index without an image", () => {}, ["no image"], "not-found", {
  index: (json) => {
    json.manifests = [];
  },
});
refused("two images without a name", () => {}, ["TAG"], "conflict", {
  index: (json) => {
    const [first] = json.manifests as Json[];
    const named = (tag: string) => ({
      ...first,
      annotations: { "org.opencontainers.image.ref.name": tag },
    });
    json.manifests = [named("one"), named("two")];
  },
});
accepted("files that the specification does not know", (dir) => {
  Deno.writeTextFileSync(`${dir}/README`, "x");
  Deno.writeTextFileSync(`${dir}/blobs/sha256/not-a-digest`, "x");
  Deno.mkdirSync(`${dir}/blobs/blake9`);
  Deno.symlinkSync("/no/where", `${dir}/blobs/sha256/dangling`);
});
accepted("a blob that nothing refers to", (dir) => {
  Deno.writeTextFileSync(`${dir}/blobs/sha256/${"a".repeat(64)}`, "not its content");
});

/** Registers a test with a reference of its own making. */
function reference(
  name: string,
  make: (w: Workspace) => string,
  code: ErrorCode,
  says: readonly string[] = [],
): void {
  Deno.test(`rejected: ${name}`, () =>
    prepared(async (w) => {
      await assertRefused(w, make(w), { code, says });
    }));
}
reference("a directory that is not there", (w) => `oci:${w.dir}/none`, "not-found", ["none"]);
reference("a file for a layout", (w) => `oci:${w.canary}/secret`, "image-invalid", ["secret"]);
reference("an empty directory", (w) => `oci:${w.canary}/sub`, "image-invalid", ["oci-layout"]);
reference("a tag that is not there", (w) => `oci:${w.dir}/good:none`, "not-found", ["none"]);
reference(
  "a digest that is not there",
  (w) => `oci:${w.dir}/good@sha256:${"a".repeat(64)}`,
  "not-found",
  [
    "aaaa",
  ],
);
reference("a digest that is none", (w) => `oci:${w.dir}/good@sha256:abc`, "usage", ["sha256:abc"]);
reference("an archive that is not there", (w) => `oci-archive:${w.dir}/none`, "not-found", [
  "none",
]);
reference("an archive that is a directory", (w) => `oci-archive:${w.dir}/good`, "image-invalid");
reference(
  "an archive that is a FIFO",
  (w) => {
    new Deno.Command("mkfifo", { args: [`${w.dir}/fifo`] }).outputSync();
    return `oci-archive:${w.dir}/fifo`;
  },
  "image-invalid",
  ["FIFO"],
);
reference("an archive that is a device", () => "docker-archive:/dev/zero", "image-invalid");

for (const kind of ["oci-archive", "docker-archive"]) {
  for (
    const [name, bytes] of [
      ["nothing in it", new Uint8Array(0)],
      ["zeros in it", new Uint8Array(10_240)],
      ["text in it", new TextEncoder().encode("no archive ".repeat(100))],
      ["a file cut off in it", file("index.json", "x".repeat(900)).subarray(0, 1024)],
      ["names out of it", tarball([file("../../index.json", "x"), file("/etc/passwd")])],
    ] as const
  ) {
    reference(`${kind} with ${name}`, (w) => {
      Deno.writeFileSync(`${w.dir}/bad.tar`, bytes);
      return `${kind}:${w.dir}/bad.tar`;
    }, "image-invalid");
  }
}

function archived(w: Workspace): string {
  imageLayout(`${w.dir}/layout`, IMAGE);
  return ociArchive(`${w.dir}/image.tar`, `${w.dir}/layout`);
}
/** Registers a test: members put behind those of a good archive make it bad. */
function withMembers(name: string, members: (w: Workspace) => readonly Uint8Array[]): void {
  reference(`oci-archive with ${name}`, (w) => {
    const result = archived(w);
    const good = Deno.readFileSync(`${w.dir}/image.tar`).subarray(0, -1024);
    Deno.writeFileSync(`${w.dir}/image.tar`, tarball([good, ...members(w)]));
    return result;
  }, "image-invalid");
}
withMembers("index.json twice", () => [file("index.json", "{}")]);
withMembers("index.json twice under two spellings", () => [file("./index.json", "{}")]);
withMembers("a symlink for index.json", (w) => [symlink("index.json", `${w.dir}/good/index.json`)]);
withMembers("a FIFO for index.json", () => [fifo("index.json")]);
withMembers("a directory for index.json", () => [dir("index.json")]);
withMembers("a hard link for oci-layout", () => [hardlink("oci-layout", "/etc/passwd")]);

/** Registers a test: the archive gives the tree of {@linkcode IMAGE}. */
function archive(name: string, make: (w: Workspace) => string | Promise<string>): void {
  Deno.test(`accepted: ${name}`, () =>
    withWorkspace(async (w) => {
      await assertCreated(w, await make(w), { tree: OTHER_TREE });
    }));
}
archive("oci-archive", archived);
archive("oci-archive packed by GNU tar", async (w) => {
  archived(w);
  await output("tar", ["--create", `--file=${w.dir}/t.tar`, `--directory=${w.dir}/layout`, "."]);
  return `oci-archive:${w.dir}/t.tar`;
});
archive("docker-archive", (w) => dockerArchive(`${w.dir}/d.tar`, { layers: [OTHER] }));
archive("docker-archive by its name", (w) => {
  return dockerArchive(`${w.dir}/d.tar`, { layers: [OTHER], tags: ["a/b:c", "x:y"] }) + ":a/b:c";
});
archive("docker-archive whose second layer is a link to its first", (w) => {
  return dockerArchive(`${w.dir}/d.tar`, {
    layers: [OTHER],
    config: (json) => {
      const rootfs = json.rootfs as { diff_ids: string[] };
      rootfs.diff_ids.push(rootfs.diff_ids[0] ?? "");
      delete json.history;
    },
    manifest: ([image = {}]) => {
      (image.Layers as string[]).push("1/layer.tar");
    },
    entries: [symlink("1/layer.tar", "../0/layer.tar")],
  });
});

/** Registers a test: the docker-archive is refused. */
function dockerRefused(
  name: string,
  spec: (w: Workspace) => Partial<DockerArchiveSpec>,
  code: ErrorCode = "image-invalid",
  tag = "",
): void {
  reference(
    `docker-archive with ${name}`,
    (w) => dockerArchive(`${w.dir}/d.tar`, { layers: [OTHER], ...spec(w) }) + tag,
    code,
  );
}
/** Replaces the manifest's members. */
function names(change: (w: Workspace) => Json) {
  return (w: Workspace): Partial<DockerArchiveSpec> => ({
    manifest: ([image = {}]) => Object.assign(image, change(w)),
  });
}
dockerRefused(
  "a config out of the archive",
  names((w) => ({ Config: `${w.canary}/secret` })),
);
dockerRefused("a config up and out", names(() => ({ Config: "../../../etc/passwd" })));
dockerRefused("a layer out of the archive", names(() => ({ Layers: ["/etc/passwd"] })));
dockerRefused("a layer up and out", names(() => ({ Layers: ["../../etc/passwd"] })));
dockerRefused("a layer that is not in it", names(() => ({ Layers: ["1/layer.tar"] })));
dockerRefused("a layer too few", names(() => ({ Layers: [] })));
dockerRefused("a config that is no string", names(() => ({ Config: 7 })));
dockerRefused("layers that are no array", names(() => ({ Layers: { 0: "x" } })));
dockerRefused("no config", names(() => ({ Config: undefined })));
dockerRefused("an empty manifest", () => ({ manifest: (list) => list.splice(0) }), "not-found");
dockerRefused("two images without a name", () => ({
  manifest: (list) => list.push({ ...list[0], RepoTags: ["other:tag"] }),
}), "conflict");
dockerRefused("another name", () => ({}), "not-found", ":other:tag");
dockerRefused("a wrong diffID", () => ({
  config: (json) => {
    json.rootfs = { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] };
  },
}), "digest-mismatch");
dockerRefused("a layer that is a link out of it", (w) => ({
  entries: [symlink("1/layer.tar", `${w.canary}/secret`)],
  ...names(() => ({ Layers: ["1/layer.tar"] }))(w),
}));
dockerRefused("a layer that is a link to itself", (w) => ({
  entries: [symlink("1/layer.tar", "layer.tar")],
  ...names(() => ({ Layers: ["1/layer.tar"] }))(w),
}));
dockerRefused("two manifests", () => ({ entries: [file("manifest.json", "[]")] }));
