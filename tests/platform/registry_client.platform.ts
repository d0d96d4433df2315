/** The registry client against a real registry, with skopeo as the other side. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { digestBytes } from "../../src/core/hasher.ts";
import { LayerfsError } from "../../src/errors.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { parseIndex } from "../../src/oci/image_index.ts";
import { parseManifest } from "../../src/oci/manifest.ts";
import { OCI_MANIFEST } from "../../src/oci/media_type.ts";
import { digestHex } from "../../src/oci/digest.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { Credentials } from "../../src/registry/credentials.ts";
import { login, logout } from "../../src/registry/login.ts";
import { loadRegistrySettings, type RegistryOptions } from "../../src/registry/settings.ts";
import { CACHE, image, must, Work } from "./harness.ts";
import { RegistryServer, type RegistryServerOptions } from "./registry_server.ts";

const LAYOUT = `${CACHE}/image`;
const USER = { name: "alice", password: "correct horse" };

const skopeo = (...args: string[]) =>
  must(["skopeo", "--insecure-policy", "--override-arch=amd64", "--override-os=linux", ...args]);

/** Options of skopeo for one side of a copy. */
function sides(
  registry: RegistryServer,
  side: "src-" | "dest-" | "",
  options: RegistryServerOptions,
) {
  return [
    ...(options.tls
      ? [`--${side}cert-dir=${registry.certificates}`]
      : [`--${side}tls-verify=false`]),
    ...(options.user ? [`--${side}creds=${USER.name}:${USER.password}`] : []),
  ];
}

/** A client for a repository of a registry, by what the command line would say. */
async function clientFor(
  registry: RegistryServer,
  options: RegistryServerOptions,
  repository: string,
): Promise<RegistryClient> {
  const settings = await loadRegistrySettings(optionsFor(registry, options), new Map());
  return RegistryClient.open({ host: registry.host, repository }, settings);
}

function optionsFor(registry: RegistryServer, options: RegistryServerOptions): RegistryOptions {
  const credentials = Credentials.password(USER.name, USER.password);
  return {
    ...(options.tls ? { certDir: registry.certificates } : { tlsVerify: false }),
    ...(options.user ? { credentials: { host: registry.host, credentials } } : {}),
  };
}

const layoutPath = ({ digest }: Descriptor) => `${LAYOUT}/blobs/sha256/${digestHex(digest)}`;

/** The content of a file, from its beginning each time. */
function contentOf(path: string) {
  return async function* () {
    const file = await Deno.open(path);
    yield* file.readable;
  };
}

/** Saves a blob and lets cmp compare it with another file. */
async function assertBlob(
  client: RegistryClient,
  descriptor: Descriptor,
  expected: string,
  work: Work,
): Promise<void> {
  const path = work.path("blob");
  const pieces = async function* () {
    // The file may be a piece behind, and none is valid for so long.
    for await (const piece of client.blob(descriptor)) yield piece.slice();
  };
  await Deno.writeFile(path, ReadableStream.from(pieces()));
  await must(["cmp", path, expected]);
}

/** The manifest of the image "debian" in its layout. */
async function layoutManifest(): Promise<
  { descriptor: Descriptor; bytes: Uint8Array<ArrayBuffer> }
> {
  await image("debian");
  const { manifests } = parseIndex(await Deno.readFile(`${LAYOUT}/index.json`));
  const descriptor = manifests.find(({ annotations }) =>
    annotations?.["org.opencontainers.image.ref.name"] === "debian"
  );
  assert(descriptor !== undefined);
  return { descriptor, bytes: await Deno.readFile(layoutPath(descriptor)) };
}

for (
  const [name, options] of [
    ["plain HTTP", {}],
    ["plain HTTP and a password", { user: USER }],
    ["TLS", { tls: true }],
    ["TLS and a password", { tls: true, user: USER }],
  ] as const
) {
  Deno.test(`what skopeo pushes is pulled byte for byte: ${name}`, async () => {
    await using work = await Work.create();
    await using registry = await RegistryServer.start(options);
    const { descriptor, bytes } = await layoutManifest();
    const name = `${registry.host}/base/debian:12`;
    await skopeo(
      "copy",
      "-q",
      ...sides(registry, "dest-", options),
      `oci:${LAYOUT}:debian`,
      `docker://${name}`,
    );
    await using client = await clientFor(registry, options, "base/debian");
    assertEquals(await client.tags(), ["12"]);
    const resolved = await client.resolve("12");
    assertEquals(resolved, { digest: descriptor.digest, mediaType: OCI_MANIFEST });
    const found = await client.manifest("12");
    assertEquals([found.digest, found.bytes], [descriptor.digest, bytes]);
    assertEquals((await client.manifest(descriptor.digest)).bytes, bytes);
    const manifest = parseManifest(found.bytes, found.mediaType);
    assertEquals(
      await client.document(manifest.config),
      await Deno.readFile(layoutPath(manifest.config)),
    );
    for (const layer of manifest.layers) await assertBlob(client, layer, layoutPath(layer), work);
    assertEquals(await client.referrers(descriptor.digest), []);
  });

  Deno.test(`what is pushed skopeo pulls byte for byte: ${name}`, async () => {
    await using work = await Work.create();
    await using registry = await RegistryServer.start(options);
    const { bytes } = await layoutManifest();
    const manifest = parseManifest(bytes);
    await using client = await clientFor(registry, options, "made/here");
    const blobs = [manifest.config, ...manifest.layers];
    // Whole and in chunks, in turn.
    for (const [i, blob] of blobs.entries()) {
      const how = i % 2 === 0 ? {} : { chunkBytes: 3_000_000 };
      const content = contentOf(layoutPath(blob));
      assertEquals(await client.uploadBlob(blob, content, how), "uploaded");
      assertEquals(await client.uploadBlob(blob, content, how), "exists");
      await must(["cmp", registry.blobPath(blob.digest), layoutPath(blob)]);
    }
    const { digest } = await client.putManifest("v1", bytes, OCI_MANIFEST);
    const source = `docker://${registry.host}/made/here`;
    const inspected = JSON.parse(
      await skopeo("inspect", ...sides(registry, "", options), `${source}:v1`),
    );
    assertEquals(inspected.Digest, digest);
    const copy = `dir:${work.path("copy")}`;
    await skopeo("copy", "-q", ...sides(registry, "src-", options), `${source}@${digest}`, copy);
    assertEquals(await Deno.readFile(work.path("copy/manifest.json")), bytes);
    for (const blob of blobs) {
      await must(["cmp", work.path(`copy/${digestHex(blob.digest)}`), layoutPath(blob)]);
    }
    // Another repository has them without another upload.
    await using other = await clientFor(registry, options, "made/there");
    for (const blob of blobs) {
      const content = () => ReadableStream.from<Uint8Array>([]);
      assertEquals(await other.uploadBlob(blob, content, { mountFrom: "made/here" }), "mounted");
    }
    await other.putManifest(digest, bytes, OCI_MANIFEST);
    assertEquals((await other.manifest(digest)).bytes, bytes);
  });
}

Deno.test("an index, and schema 2, go there and back", async () => {
  await using work = await Work.create();
  await using registry = await RegistryServer.start();
  await image("debian");
  const target = `docker://${registry.host}/base/docker`;
  const format = ["--format=v2s2", "--dest-tls-verify=false"];
  await skopeo("copy", "-q", ...format, `oci:${LAYOUT}:debian`, `${target}:v2s2`);
  await using client = await clientFor(registry, {}, "base/docker");
  const { bytes, mediaType, digest } = await client.manifest("v2s2");
  assertEquals(mediaType, "application/vnd.docker.distribution.manifest.v2+json");
  const index = new TextEncoder().encode(JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{
      mediaType,
      digest,
      size: bytes.length,
      platform: { os: "linux", architecture: "amd64" },
    }],
  }));
  const put = await client.putManifest("all", index, "application/vnd.oci.image.index.v1+json");
  assertEquals((await client.manifest("all")).bytes, index);
  const copy = work.path("copy");
  await skopeo("copy", "-q", "--all", "--src-tls-verify=false", `${target}:all`, `dir:${copy}`);
  assertEquals(await Deno.readFile(`${copy}/manifest.json`), index);
  assertEquals(put.digest, (await client.resolve("all"))?.digest);
});

Deno.test("referrers stand under a tag where the registry does not list them", async () => {
  await using registry = await RegistryServer.start();
  await using client = await clientFor(registry, {}, "base/signed");
  const empty = new TextEncoder().encode("{}");
  const config = {
    mediaType: "application/vnd.oci.empty.v1+json",
    digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    size: 2,
  } as Descriptor;
  await client.uploadBlob(config, () => ReadableStream.from([empty]));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config,
    layers: [config],
  });
  const subject = await client.putManifest("v1", new TextEncoder().encode(manifest), OCI_MANIFEST);
  const entry = { ...config, mediaType: OCI_MANIFEST, digest: subject.digest, artifactType: "a/b" };
  const index = { schemaVersion: 2, manifests: [{ ...entry, size: manifest.length }] };
  const tag = subject.digest.replace(":", "-");
  const type = "application/vnd.oci.image.index.v1+json";
  await client.putManifest(tag, new TextEncoder().encode(JSON.stringify(index)), type);
  assertEquals((await client.referrers(subject.digest, "a/b")).length, 1);
  assertEquals(await client.referrers(subject.digest, "c/d"), []);
});

Deno.test("an upload that fails between two requests leaves nothing in the registry", async () => {
  for (const tls of [false, true]) {
    await using registry = await RegistryServer.start({ tls });
    await using client = await clientFor(registry, { tls }, "base/broken");
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const digest = digestBytes(bytes, "sha256", "native");
    const descriptor = { mediaType: "application/octet-stream", digest, size: 2 * bytes.length };
    // Nothing has come in the first request, or a chunk has and no more comes. (A request that breaks
    // in the middle is beyond Distribution 2.8: it does not find its own place any more.)
    for (const chunkBytes of [undefined, 50_000]) {
      let sessions = 0;
      const content = async function* () {
        if (chunkBytes !== undefined) yield bytes;
        sessions = await registry.uploads("base/broken");
        throw new RangeError("the disk is gone");
      };
      const options = chunkBytes === undefined ? {} : { chunkBytes };
      const error = await client.uploadBlob(descriptor, content, options).catch((thrown) => thrown);
      assert(error instanceof RangeError, Deno.inspect(error));
      assertEquals([sessions, await registry.uploads("base/broken")], [1, 0]);
    }
  }
});

Deno.test("skopeo reads what login keeps, and login reads what skopeo keeps", async () => {
  await using work = await Work.create();
  const options = { user: USER, tls: true };
  await using registry = await RegistryServer.start(options);
  const settingsOf = (authFile: string) =>
    loadRegistrySettings({ certDir: registry.certificates, authFile }, new Map());
  const ours = work.path("ours.json");
  const wrong = Credentials.password(USER.name, "wrong horse");
  const settings = await settingsOf(ours);
  const refused = await login(registry.host, wrong, settings).catch((error) => error);
  assert(refused instanceof LayerfsError);
  assertEquals(refused.code, "unauthorized");
  assertStringIncludes(refused.message, "GET /v2/: 401");
  await login(registry.host, Credentials.password(USER.name, USER.password), settings);
  const target = `docker://${registry.host}/x/y:1`;
  await image("debian");
  const how = [`--dest-cert-dir=${registry.certificates}`, `--dest-authfile=${ours}`];
  await skopeo("copy", "-q", ...how, `oci:${LAYOUT}:debian`, target);
  const theirs = work.path("theirs.json");
  await skopeo(
    ...["login", `--cert-dir=${registry.certificates}`, `--authfile=${theirs}`],
    ...[`--username=${USER.name}`, `--password=${USER.password}`, registry.host],
  );
  const repository = { host: registry.host, repository: "x/y", tag: "1" };
  await using client = RegistryClient.open(repository, await settingsOf(theirs));
  assertEquals(await client.tags(), ["1"]);
  assertEquals(await logout(registry.host, await settingsOf(theirs)), {
    removed: [theirs],
    remains: false,
  });
  await using stranger = RegistryClient.open(repository, await settingsOf(theirs));
  const error = await stranger.tags().catch((thrown) => thrown);
  assert(error instanceof LayerfsError);
  assertStringIncludes(error.message, `layerfs login ${registry.host}`);
});

Deno.test("registries.conf makes a registry insecure, for skopeo and for us", async () => {
  await using work = await Work.create();
  await using registry = await RegistryServer.start({ tls: true });
  await image("debian");
  const location = `${registry.host}/mirrored`;
  const target = `docker://${location}/debian:12`;
  await skopeo("copy", "-q", "--dest-tls-verify=false", `oci:${LAYOUT}:debian`, target);
  const conf = work.path("registries.conf");
  await Deno.writeTextFile(
    conf,
    `[[registry]]\nprefix = "images.example.com/team"\nlocation = "${location}"\ninsecure = true\n`,
  );
  const name = "docker://images.example.com/team/debian:12";
  const inspected = JSON.parse(
    await skopeo(`--registries-conf=${conf}`, "inspect", "--no-tags", name),
  );
  const settings = await loadRegistrySettings({}, new Map([["CONTAINERS_REGISTRIES_CONF", conf]]));
  const image12 = { host: "images.example.com", repository: "team/debian", tag: "12" };
  await using client = RegistryClient.open(image12, settings);
  assertEquals((await client.manifest("12")).digest, inspected.Digest);
  await using plain = RegistryClient.open(
    { host: registry.host, repository: "mirrored/debian" },
    await loadRegistrySettings({}, new Map()),
    { attempts: 1 },
  );
  const error = await plain.manifest("12").catch((thrown) => thrown);
  assert(error instanceof LayerfsError);
  assertEquals(error.code, "unreachable");
  assertStringIncludes(error.message, "--cert-dir");
});
