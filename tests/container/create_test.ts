import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createContainer, type CreateOptions } from "../../src/container/create.ts";
import { inspectContainer, inspectImage } from "../../src/container/inspect.ts";
import { listContainers } from "../../src/container/list.ts";
import { NO_OVERRIDES } from "../../src/container/overrides.ts";
import { removeContainers } from "../../src/container/remove.ts";
import { type ErrorCode, LayerfsError } from "../../src/errors.ts";
import { HELLO_TAG, writeHelloLayout } from "../../src/hello/hello_image.ts";
import type { ProgressEvent } from "../../src/layer/progress.ts";

/** A directory with the hello image in it, and what makes a container from that. */
async function withHello(
  body: (directory: string, options: CreateOptions) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "layerfs-create-" });
  try {
    await writeHelloLayout(`${directory}/hello`);
    await body(directory, {
      store: `${directory}/store`,
      driver: "directory",
      engine: "wasm",
      image: `oci:${directory}/hello:${HELLO_TAG}`,
      platform: "linux/amd64",
      overrides: NO_OVERRIDES,
      command: [],
      signal: new AbortController().signal,
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function assertFails(
  action: () => Promise<unknown>,
  code: ErrorCode,
  text: string,
): Promise<void> {
  const error = await assertRejects(action, LayerfsError);
  assertEquals(error.code, code, error.message);
  assertStringIncludes(error.message, text);
}

const names = (directory: string) =>
  [...Deno.readDirSync(directory)].map(({ name }) => name).sort();

Deno.test("a container is made, listed, inspected and removed", () =>
  withHello(async (directory, options) => {
    const events: ProgressEvent[] = [];
    const onProgress = (event: ProgressEvent) => void events.push(event);
    const result = await createContainer({ ...options, name: "web", onProgress });
    assertEquals(result.id, "web");
    assertEquals(result.bundle, `${directory}/store/containers/web`);
    assertEquals(result.source, "image");
    assertEquals(result.layers, { total: 1, reused: 0, applied: 1 });
    assertEquals(result.image?.platform, "linux/amd64");
    assertEquals(names(result.bundle), ["config.json", "layerfs.json", "rootfs"]);
    assertEquals(Deno.statSync(result.bundle).mode! & 0o777, 0o700);

    assertEquals(events[0], { type: "start", layers: 1, bytes: result.bytes.compressed });
    assertEquals(events.slice(-2).map(({ type }) => type), ["layer", "end"]);
    const sum = events.reduce((total, e) => total + (e.type === "bytes" ? e.delta : 0), 0);
    assertEquals(sum, result.bytes.compressed);

    const [row, ...others] = await listContainers(options);
    assertEquals(others, []);
    assertEquals([row?.id, row?.image, row?.bundle], ["web", options.image!, result.bundle]);
    assert(row!.ownBytes > 0);
    const details = inspectContainer(options, "web");
    assertEquals(details.image, result.image);
    assertEquals(details.config.root.path, "rootfs");

    assertEquals(await removeContainers(options, ["web"], false), ["web"]);
    assertEquals(await listContainers(options), []);
    assertEquals(names(`${directory}/store/staging`), []);
  }));

Deno.test("a container whose record is damaged is removed by force, and only so", () =>
  withHello(async (directory, options) => {
    const elsewhere = `${directory}/elsewhere`;
    for (const name of ["web", "other"]) await createContainer({ ...options, name });
    await createContainer({ ...options, name: "away", bundle: elsewhere });
    for (const bundle of [`${directory}/store/containers/web`, elsewhere]) {
      Deno.writeTextFileSync(`${bundle}/layerfs.json`, '{"x');
    }
    const remove = (force: boolean) => removeContainers(options, ["web", "away"], force);
    await assertFails(() => remove(false), "storage", "rm --force");
    assertEquals(await remove(true), ["web", "away"]);
    assertEquals(names(`${directory}/store/containers`), ["other"]);
    assertEquals(names(directory), ["hello", "store"]);
    assertEquals(names(`${directory}/store/staging`), []);
  }));

Deno.test("a container of a later version is not removed by force", () =>
  withHello(async (_, options) => {
    const { bundle } = await createContainer({ ...options, name: "web" });
    Deno.writeTextFileSync(`${bundle}/layerfs.json`, '{"version":2}');
    await assertFails(() => removeContainers(options, ["web"], true), "unsupported", "version");
    assertEquals(names(bundle), ["config.json", "layerfs.json", "rootfs"]);
  }));

Deno.test("both digest engines find the same", () =>
  withHello(async (_, options) => {
    const wasm = await createContainer({ ...options, engine: "wasm" });
    const native = await createContainer({ ...options, engine: "native" });
    assertEquals(wasm.image, native.image);
    assert(wasm.id !== native.id);
  }));

Deno.test("a bundle can be made elsewhere, and goes with its container", () =>
  withHello(async (directory, options) => {
    const bundle = `${directory}/bundle`;
    await Deno.mkdir(bundle); // an empty one is taken
    const result = await createContainer({ ...options, name: "far", bundle });
    assertEquals(result.bundle, bundle);
    assertEquals(names(bundle), ["config.json", "layerfs.json", "rootfs"]);
    assertEquals((await listContainers(options))[0]?.bundle, bundle);
    await removeContainers(options, ["far"], false);
    assertEquals(names(directory), ["hello", "store"]);
    assertEquals(names(`${directory}/store/containers`), []);
  }));

Deno.test("a name or a bundle directory that is taken is a conflict, and stays as it was", () =>
  withHello(async (directory, options) => {
    await createContainer({ ...options, name: "web" });
    await assertFails(() => createContainer({ ...options, name: "web" }), "conflict", "--name");
    await Deno.mkdir(`${directory}/mine`);
    await Deno.writeTextFile(`${directory}/mine/file`, "mine");
    const bundle = `${directory}/mine`;
    await assertFails(() => createContainer({ ...options, bundle }), "conflict", "not empty");
    assertEquals(names(bundle), ["file"]);
    assertEquals(names(`${directory}/store/containers`), ["web"]);
  }));

Deno.test("a bundle directory inside the store is refused, but for the container's own", () =>
  withHello(async (directory, options) => {
    for (const place of ["", "/containers", "/containers/other", "/staging/x"]) {
      const bundle = `${directory}/store${place}`;
      const create = () => createContainer({ ...options, name: "web", bundle });
      await assertFails(create, "usage", "inside the store");
    }
    const bundle = `${directory}/store/containers/web`;
    assertEquals((await createContainer({ ...options, name: "web", bundle })).bundle, bundle);
  }));

Deno.test("the name of a bundle that was removed by hand is free again", () =>
  withHello(async (directory, options) => {
    const bundle = `${directory}/bundle`;
    for (const place of [bundle, bundle, undefined]) {
      const elsewhere = place === undefined ? {} : { bundle: place };
      const result = await createContainer({ ...options, ...elsewhere, name: "web" });
      assertEquals((await listContainers(options)).map((row) => row.bundle), [result.bundle]);
      await Deno.remove(result.bundle, { recursive: true });
    }
    assertEquals(await listContainers(options), []);
  }));

Deno.test("two creates of one name at a time: one wins, the other is a conflict", () =>
  withHello(async (directory, options) => {
    const make = () => createContainer({ ...options, name: "one" });
    const outcomes = await Promise.allSettled([make(), make(), make()]);
    const lost = outcomes.filter((outcome) => outcome.status === "rejected");
    assertEquals(lost.length, 2);
    for (const { reason } of lost) assertEquals(reason.code, "conflict");
    assertEquals(names(`${directory}/store/staging`), []);
    assertEquals((await listContainers(options)).length, 1);
  }));

Deno.test("a root filesystem can come from a directory or a tar file", () =>
  withHello(async (directory, { image: _, ...options }) => {
    await Deno.mkdir(`${directory}/tree/etc`, { recursive: true });
    await Deno.writeTextFile(`${directory}/tree/etc/motd`, "hello\n");
    const tar = new Deno.Command("tar", {
      args: ["-C", `${directory}/tree`, "-czf", `${directory}/tree.tgz`, "."],
    });
    assert((await tar.output()).success);
    for (const rootfs of [`${directory}/tree`, `${directory}/tree.tgz`]) {
      const result = await createContainer({ ...options, rootfs, command: ["/bin/true"] });
      assertEquals([result.source, result.image], ["rootfs", null]);
      assertEquals(Deno.readTextFileSync(`${result.rootfs}/etc/motd`), "hello\n");
    }
    const rootfs = `${directory}/none`;
    await assertFails(() => createContainer({ ...options, rootfs }), "not-found", rootfs);
  }));

Deno.test("a fallback stands in for an image that is not there, never for a damaged one", () =>
  withHello(async (directory, options) => {
    const fallback = `${directory}/tree`;
    await Deno.mkdir(fallback);
    const command = ["/bin/true"];
    const image = `oci:${directory}/none`;
    const result = await createContainer({ ...options, image, fallback, command });
    assertEquals([result.source, result.image], ["fallback", null]);
    assertStringIncludes(result.warnings[0] ?? "", "fallback");

    const blobs = `${directory}/hello/blobs/sha256`;
    for (const name of names(blobs)) {
      const bytes = Deno.readFileSync(`${blobs}/${name}`);
      bytes[bytes.length - 1]! ^= 1;
      Deno.writeFileSync(`${blobs}/${name}`, bytes);
    }
    const damaged = () => createContainer({ ...options, fallback, command });
    await assertFails(damaged, "digest-mismatch", "sha256:");
  }));

Deno.test("names that cannot be file names, and quotas that nobody keeps, are refused", () =>
  withHello(async (directory, options) => {
    for (const name of ["", ".", "..", "../x", "a/b", "-x", "x".repeat(64), "a b", "ä"]) {
      await assertFails(() => createContainer({ ...options, name }), "usage", "container id");
    }
    const overrides = { ...NO_OVERRIDES, quota: 1 << 20 };
    await assertFails(() => createContainer({ ...options, overrides }), "usage", "--quota");
    assertEquals(names(`${directory}/store/containers`), []);
    assertEquals(names(`${directory}/store/staging`), []);
  }));

Deno.test("what is aborted leaves nothing behind", () =>
  withHello(async (directory, options) => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const { signal } = controller;
    const create = () => createContainer({ ...options, name: "web", signal, onProgress });
    await assertFails(create, "interrupted", "interrupted");
    assertEquals(names(`${directory}/store/containers`), []);
    assertEquals(names(`${directory}/store/staging`), []);
  }));

Deno.test("rm names the container that it does not find, before it removes any", () =>
  withHello(async (_, options) => {
    await createContainer({ ...options, name: "web" });
    const remove = () => removeContainers(options, ["web", "none"], false);
    await assertFails(remove, "not-found", '"none"');
    assertEquals((await listContainers(options)).length, 1);
  }));

Deno.test("rm takes a name that is given twice for one container", () =>
  withHello(async (_, options) => {
    await createContainer({ ...options, name: "web" });
    assertEquals(await removeContainers(options, ["web", "web"], false), ["web", "web"]);
    assertEquals(await listContainers(options), []);
  }));

Deno.test("inspect shows an image's documents and layers", () =>
  withHello(async (_, options) => {
    const details = await inspectImage(options.image!, { platform: "linux/arm64" });
    assertEquals(details.config.architecture, "arm64");
    assertEquals(details.layers.length, 1);
    assertEquals(details.layers[0]?.chainId, details.chainId!);
    const inspect = () => inspectImage(options.image!, { platform: "linux/s390x" });
    await assertFails(inspect, "platform-not-found", "linux/amd64");
  }));
