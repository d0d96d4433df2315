/** Images of registries, with a registry of the test's own on the other side. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commitContainer } from "../../src/container/commit.ts";
import { createContainer } from "../../src/container/create.ts";
import { diffContainer } from "../../src/container/diff.ts";
import { NO_OVERRIDES } from "../../src/container/overrides.ts";
import { rebaseContainer } from "../../src/container/rebase.ts";
import { resolveImage } from "../../src/source/image.ts";
import { pullImage } from "../../src/transfer/pull.ts";
import { blobPath, imageLayout, type ImageSpec } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { FaultyRegistry } from "../registry/faulty_registry.ts";
import { settingsFor } from "../registry/harness.ts";
import { refuses, withDirectory } from "../source/scratch.ts";
import { tagsIn, withStore } from "../store/image_fixture.ts";
import { AMD64, blobsIn, copy, LAYERS } from "./harness.ts";
import { access, nameByDigest, pushed } from "./registry_images.ts";

/** Digests of the blobs that were asked for, sorted. */
const fetched = ({ log }: FaultyRegistry) =>
  log.flatMap((line) => /^GET .*\/blobs\/(.+)$/.exec(line)?.[1] ?? []).sort();

Deno.test("what is pushed has every byte, and is tagged last", () =>
  withDirectory(async (dir) => {
    for (const more of [{}, { family: "docker" }] as Partial<ImageSpec>[]) {
      await using registry = new FaultyRegistry();
      const image = imageLayout(`${dir}/${more.family ?? "oci"}`, { layers: LAYERS, ...more });
      const to = `docker://${registry.host}/team/app:1`;
      const made = await copy(image.reference, to, access(registry));
      assertEquals([made.copied.blobs, made.reused.blobs], [4, 0]);
      for (const digest of [image.configDigest, ...image.layerDigests]) {
        assertEquals(registry.blobs.get(digest), Deno.readFileSync(blobPath(image.dir, digest)));
      }
      const puts = registry.log.filter((line) => line.startsWith("PUT /v2/team/app/manifests/"));
      assertEquals(puts, ["PUT /v2/team/app/manifests/1"]);
      assertEquals(registry.log.at(-1), puts[0]);
      const again = await copy(image.reference, to, access(registry));
      assertEquals([again.copied.blobs, again.reused.blobs], [1, 3]);
    }
  }));

Deno.test("a tag is resolved first, and read by its digest", () =>
  withStore(async (store, dir) => {
    await using registry = new FaultyRegistry();
    const { image, name } = await pushed(registry, `${dir}.d`);
    const found = await resolveImage(`docker://${name}`, AMD64, access(registry));
    assertEquals(found.digest as string, image.manifestDigest);
    const [head, get] = registry.log.filter((line) => line.includes("/manifests/"));
    assertEquals([head, get], [
      "HEAD /v2/team/app/manifests/1",
      `GET /v2/team/app/manifests/${image.manifestDigest}`,
    ]);
    // Nothing is read twice, and no layer before it is wanted.
    assertEquals(fetched(registry), [image.configDigest]);
    registry.asked.length = 0;
    const how = { platform: AMD64, engine: "native", ...access(registry) } as const;
    const pulled = await pullImage(store, { reference: `docker://${name}`, ...how });
    assertEquals([pulled.name, pulled.tag], [`${registry.host}/team/app`, "1"]);
    assertEquals(fetched(registry), [image.configDigest, ...image.layerDigests].sort());
    assertEquals(blobsIn(dir), blobsIn(image.dir));
    const digest = `docker://${registry.host}/team/app@${image.manifestDigest}`;
    await refuses(() => pullImage(store, { reference: digest, ...how }), "usage", "--as");
  }));

Deno.test("a registry that answers with other content is found out", () =>
  withStore(async (store, dir) => {
    await using registry = new FaultyRegistry();
    const { image, name } = await pushed(registry, `${dir}.d`);
    const how = { platform: AMD64, engine: "native", as: "app", ...access(registry) } as const;
    const reference = `docker://${name}`;
    const [first = "", second = ""] = image.layerDigests;
    const right = registry.blobs.get(second)!;
    registry.blobs.set(second, right.map((byte, i) => i === 9 ? byte ^ 1 : byte));
    const origin = `it came from ${registry.host}/team/app: it is damaged there`;
    const told = ["digest-mismatch", second, "layer 2 of 2", origin] as const;
    await refuses(() => pullImage(store, { reference, ...how }), ...told);
    // Likewise on its way to another registry, and where it is unpacked at once.
    await using other = new FaultyRegistry();
    const both = { registry: () => Promise.resolve(settingsFor([registry.host, other.host])) };
    await refuses(() => copy(reference, `docker://${other.host}/other:1`, both), ...told);
    const container = {
      store: `${dir}.c`,
      driver: "directory",
      image: reference,
      platform: "linux/amd64",
      engine: "native",
      overrides: NO_OVERRIDES,
      command: [],
      signal: new AbortController().signal,
      ...access(registry),
    } as const;
    await refuses(() => createContainer(container), ...told);
    assertEquals([tagsIn(dir), [...Deno.readDirSync(`${dir}/staging`)]], [[], []]);
    // What was whole is not fetched again. (The first may have been given up for the second.)
    const there = blobsIn(dir);
    assert(there.every((digest) => [first, image.configDigest].includes(digest)), `${there}`);
    registry.blobs.set(second, right);
    registry.asked.length = 0;
    await pullImage(store, { reference, ...how });
    const documents = [image.configDigest];
    const wanted = [first, second].filter((digest) => !there.includes(digest));
    assertEquals(fetched(registry), [...documents, ...wanted].sort());
    const manifest = registry.manifests.get(image.manifestDigest)!;
    registry.manifests.set(image.manifestDigest, { ...manifest, bytes: manifest.bytes.slice(1) });
    await refuses(() => resolveImage(reference, AMD64, access(registry)), "digest-mismatch");
  }));

Deno.test("what is wrong here never becomes whole there", () =>
  withDirectory(async (dir) => {
    await using registry = new FaultyRegistry();
    const image = imageLayout(`${dir}/image`, {
      layers: LAYERS,
      after: (at, { layerDigests }) => {
        const bytes = Deno.readFileSync(blobPath(at, layerDigests[1]!));
        bytes[9]! ^= 1;
        Deno.writeFileSync(blobPath(at, layerDigests[1]!), bytes);
      },
    });
    const to = `docker://${registry.host}/team/app:1`;
    await refuses(
      () => copy(image.reference, to, access(registry)),
      "digest-mismatch",
      "layer 2 of 2",
    );
    assertEquals([registry.manifests.size, registry.blobs.has(image.layerDigests[1]!)], [0, false]);
  }));

Deno.test("a bare name is the store's, else the registry's, as --pull has it", () =>
  withStore(async (store, dir) => {
    await using registry = new FaultyRegistry();
    const { image, name } = await pushed(registry, `${dir}.d`);
    const other = imageLayout(`${dir}.other`, { layers: [LAYERS[0]!] });
    const resolve = async (pull?: "missing" | "always" | "never") => {
      registry.asked.length = 0;
      const places = { store: dir, ...access(registry), ...(pull === undefined ? {} : { pull }) };
      return (await resolveImage(name, AMD64, places)).digest as string;
    };
    assertEquals(await resolve(), image.manifestDigest);
    await refuses(() => resolve("never"), "not-found", `layerfs pull ${name}`);
    assertEquals(registry.asked.length, 0);
    await pullImage(store, {
      reference: other.reference,
      as: name,
      engine: "native",
      platform: AMD64,
    });
    assertEquals([await resolve(), registry.asked.length], [other.manifestDigest, 0]);
    assertEquals(await resolve("never"), other.manifestDigest);
    assertEquals(await resolve("always"), image.manifestDigest);
    const absent = () =>
      resolveImage(`${registry.host}/no:2`, AMD64, { store: dir, ...access(registry) });
    await refuses(absent, "not-found", "in the store", registry.host, "404");
  }));

Deno.test("of many pulls at a time, one fetches a blob", () =>
  withStore(async (store, dir) => {
    await using registry = new FaultyRegistry();
    const { image, name } = await pushed(registry, `${dir}.d`);
    const how = { reference: `docker://${name}`, platform: AMD64, engine: "native" } as const;
    const pulls = ["a", "b", "c"].map((as) =>
      pullImage(store, { ...how, as, ...access(registry) })
    );
    const counts = (await Promise.all(pulls)).map(({ copied }) => copied.blobs);
    for (const digest of image.layerDigests) {
      assertEquals(fetched(registry).filter((asked) => asked === digest).length, 1);
    }
    assert(counts.reduce((sum, count) => sum + count, 0) <= 4 + 2, `${counts}`);
    assertEquals([...Deno.readDirSync(`${dir}/locks`)], []);
  }));

Deno.test("within a registry, blobs are mounted from where they are", () =>
  withDirectory(async (dir) => {
    await using registry = new FaultyRegistry();
    const { image, name } = await pushed(registry, dir);
    // As a registry whose repositories see their own blobs only.
    registry.handler = ({ method, target }) =>
      method === "HEAD" && target.startsWith("/v2/other/blobs/")
        ? new Response(null, { status: 404 })
        : target.includes("mount=")
        ? new Response(null, { status: 201 })
        : undefined;
    const to = `docker://${registry.host}/other:1`;
    const made = await copy(`docker://${name}`, to, access(registry));
    const mounts = registry.log.filter((line) =>
      line.includes("mount=") && line.includes("from=team%2Fapp")
    );
    assertEquals([mounts.length, made.reused.blobs], [3, 3]);
    assertEquals(fetched(registry), [image.configDigest].slice(1));
  }));

Deno.test("from a store, blobs are mounted from the repositories that its images are of", () =>
  withStore(async (store, dir) => {
    await using registry = new FaultyRegistry();
    const { image, name } = await pushed(registry, `${dir}.d`);
    const how = { platform: AMD64, engine: "native", ...access(registry) } as const;
    const damaged = imageLayout(`${dir}.damaged`, { layers: LAYERS.slice(0, 1) });
    await pullImage(store, { reference: damaged.reference, as: `${registry.host}/bad:1`, ...how });
    Deno.removeSync(blobPath(dir, damaged.manifestDigest));
    await pullImage(store, { reference: `docker://${name}`, ...how });
    // One more layer on top, under a name of that registry, as commit makes it.
    const top = { tar: tarball([file("three", "three")]) };
    const made = imageLayout(`${dir}.made`, { layers: [...LAYERS, top] });
    const own = `${registry.host}/team/made:1`;
    for (const as of ["elsewhere.example/app:1", own]) {
      await pullImage(store, { reference: made.reference, as, ...how });
    }
    registry.asked.length = 0;
    registry.handler = ({ method, target }) =>
      method === "HEAD" && target.startsWith("/v2/other/blobs/")
        ? new Response(null, { status: 404 })
        : target.endsWith("from=team%2Fapp")
        ? new Response(null, { status: 201 })
        : undefined;
    const to = `docker://${registry.host}/other:1`;
    await copy(own, to, { storePath: dir, pull: "never", ...access(registry) });
    const posts = registry.log.filter((line) => line.startsWith("POST "));
    const base = image.layerDigests.map((digest) => [digest, "team/app"]);
    const rest = [made.layerDigests[2]!, made.configDigest].map((digest) => [digest, "team/made"]);
    const wanted = [...base, ...rest].map(([mount = "", from = ""]) =>
      `POST /v2/other/blobs/uploads/?${new URLSearchParams({ mount, from })}`
    );
    // What is not mounted goes on in the session that its mount has opened.
    assertEquals(posts.sort(), wanted.sort());
    const sent = registry.log.filter((line) => /^PUT .*\/blobs\//.test(line));
    assertEquals(sent.length, rest.length);
  }));

Deno.test("layers that are not to be handed on are not pushed", () =>
  withDirectory(async (dir) => {
    await using registry = new FaultyRegistry();
    const mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    const foreign = { ...LAYERS[1]!, mediaType, descriptor: { urls: ["https://example.com/l"] } };
    const image = imageLayout(`${dir}/image`, { layers: [LAYERS[0]!, foreign] });
    const to = `docker://${registry.host}/team/app:1`;
    const { warnings } = await copy(image.reference, to, access(registry));
    assertEquals(warnings.length, 1);
    assertStringIncludes(warnings[0]!, "https://example.com/l");
    assert(!registry.blobs.has(image.layerDigests[1]!));
    nameByDigest(registry);
    const read = () => resolveImage(to, AMD64, access(registry));
    await refuses(read, "image-invalid", "https://example.com/l");
    // Back in a layout, it is left out as well; where the layer is, it is whole.
    const back = await copy(to, `oci:${dir}/back:1`, access(registry));
    assertEquals([back.warnings.length, back.copied.blobs], [1, 3]);
    assertEquals((await copy(to, image.reference + ":again", access(registry))).reused.blobs, 4);
  }));

/** Options of containers with the driver "directory", of what a registry has. */
const creating = (registry: FaultyRegistry, store: string, name: string) => ({
  store,
  driver: "directory" as const,
  engine: "native" as const,
  image: `docker://${name}`,
  platform: "linux/amd64",
  overrides: NO_OVERRIDES,
  command: [],
  signal: new AbortController().signal,
  onProgress: () => {},
  ...access(registry),
});

Deno.test("with --keep-blobs a container's image stays in the store under its name", () =>
  withDirectory(async (dir) => {
    await using registry = new FaultyRegistry();
    const { image, name } = await pushed(registry, dir);
    const options = creating(registry, `${dir}/store`, name);
    const made = await createContainer({ ...options, keepBlobs: true });
    assertEquals(made.image?.digest as string, image.manifestDigest);
    assertEquals(made.image?.reference, `docker://${name}`);
    assertEquals([tagsIn(options.store), blobsIn(options.store)], [[name], blobsIn(image.dir)]);
    assertEquals(Deno.readTextFileSync(`${made.rootfs}/base`), "base");
    // What the store has is not fetched again, whoever asks for it by which name.
    registry.asked.length = 0;
    registry.manifests.set("other", registry.manifests.get("1")!);
    const again = await createContainer({
      ...options,
      image: `docker://${name}`.replace(/1$/, "other"),
    });
    assertEquals(Deno.readTextFileSync(`${again.rootfs}/base`), "base");
    assertEquals(fetched(registry), []);
  }));

Deno.test("a container is compared with its own image, whatever its tag means by now", () =>
  withDirectory(async (dir) => {
    await using registry = new FaultyRegistry();
    const { name } = await pushed(registry, dir);
    const options = { ...creating(registry, `${dir}/store`, name), id: "web" };
    await createContainer({ ...options, name: "web" });
    const { image } = await pushed(registry, `${dir}/newer`, { layers: [...LAYERS, LAYERS[0]!] });
    assertEquals(await diffContainer(options, "web"), []);
    const committed = await commitContainer({ ...options, name: "web:2" });
    assertEquals(committed.layers, LAYERS.length + 1);
    const { image: record } = await rebaseContainer({ ...options, settlement: "fail" });
    assertEquals(record.digest as string, image.manifestDigest);
  }));

Deno.test("a fallback stands in for what no registry has, and for a registry that is not there", () =>
  withDirectory(async (dir) => {
    await using registry = new FaultyRegistry();
    Deno.mkdirSync(`${dir}/tree`);
    const create = (image: string) =>
      createContainer({
        store: `${dir}/store`,
        driver: "directory",
        engine: "native",
        image,
        fallback: `${dir}/tree`,
        overrides: NO_OVERRIDES,
        command: ["/bin/true"],
        signal: new AbortController().signal,
        ...access(registry),
      });
    assertEquals((await create(`${registry.host}/absent:1`)).source, "fallback");
    registry.handler = () => new Response("{}", { status: 401 });
    await refuses(() => create(`${registry.host}/absent:1`), "unauthorized", "login");
  }));
