/**
 * Runs one adversarial image through `createContainer` and checks what is left of the world:
 * a canary beside the store, the store, the bundle's place and the image itself.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createContainer } from "../../src/container/create.ts";
import type { CreateResult } from "../../src/container/create.ts";
import { NO_OVERRIDES, type Overrides } from "../../src/container/overrides.ts";
import { type ErrorCode, exitStatus, LayerfsError } from "../../src/errors.ts";
import { type BuiltImage, imageLayout, type ImageSpec, type Json } from "../fixtures/image.ts";
import { dir, file, tarball } from "../fixtures/tar.ts";
import { assertTree, describe, output, type Tree } from "../fixtures/tree.ts";

/** A directory of one test's own. */
export interface Workspace {
  dir: string;
  /** Outside every root: nothing may change it. */
  canary: string;
  store: string;
  bundle: string;
}

/** Enough to climb from any root to "/". */
export const UP = "../".repeat(40);

/** Members of each layer, lowest first. */
export type Layers = readonly (readonly Uint8Array[])[];

/** The layer of {@linkcode prepared}'s image: what a rejected image has below its bad layer. */
export const GOOD_LAYER = [dir("etc"), file("etc/motd", "good\n")];

function makeCanary(canary: string): void {
  Deno.mkdirSync(`${canary}/sub`, { recursive: true });
  Deno.writeTextFileSync(`${canary}/secret`, "canary", { mode: 0o640 });
  Deno.writeTextFileSync(`${canary}/sub/file`, "inner", { mode: 0o600 });
  Deno.linkSync(`${canary}/secret`, `${canary}/twin`);
  Deno.symlinkSync("secret", `${canary}/link`);
  for (const path of ["secret", "sub/file", "sub", ""]) {
    Deno.utimeSync(`${canary}/${path}`, 1_234_567_890, 1_234_567_890);
  }
}

async function makeWorkspace(): Promise<Workspace> {
  const dir = await Deno.makeTempDir({ prefix: "layerfs-adversarial-" });
  const w = { dir, canary: `${dir}/canary`, store: `${dir}/store`, bundle: `${dir}/bundle` };
  makeCanary(w.canary);
  await output("setfattr", ["-n", "user.canary", "-v", "sings", `${w.canary}/secret`]);
  return w;
}

/** Makes a workspace, hands it to `use`, and removes it whatever modes are in it. */
export async function withWorkspace(use: (w: Workspace) => Promise<void>): Promise<void> {
  const w = await makeWorkspace();
  try {
    await use(w);
  } finally {
    const closed = ["-type", "d", "!", "-perm", "-700"];
    await output("find", [w.dir, ...closed, "-exec", "chmod", "u+rwx", "{}", ";"]);
    await Deno.remove(w.dir, { recursive: true });
  }
}

/** What a test may change of a create call. */
export interface CreateOptions {
  name?: string;
  bundle?: string;
  platform?: string;
  overrides?: Partial<Overrides>;
  command?: string[];
  signal?: AbortSignal;
  engine?: "wasm" | "native";
}

/** Creates a container in the workspace's store, with the directory driver. */
export function create(
  w: Workspace,
  reference: string,
  o: CreateOptions = {},
): Promise<CreateResult> {
  return createContainer({
    store: w.store,
    driver: "directory",
    engine: o.engine ?? "wasm",
    image: reference,
    name: o.name,
    bundle: o.bundle,
    platform: o.platform ?? "linux/amd64",
    overrides: { ...NO_OVERRIDES, ...o.overrides },
    command: o.command ?? [],
    signal: o.signal ?? new AbortController().signal,
  });
}

async function makeGood(w: Workspace): Promise<void> {
  const good = imageLayout(`${w.dir}/good`, { layers: [{ tar: tarball(GOOD_LAYER) }] });
  await create(w, good.reference, { name: "good" });
}

/** A workspace whose store holds a container of a good image already. */
export function prepared(use: (w: Workspace) => Promise<void>): Promise<void> {
  return withWorkspace(async (w) => {
    await makeGood(w);
    await use(w);
  });
}

let shared: Promise<Workspace> | null = null;

/**
 * A prepared workspace that all tests of a file share whose images are refused: as a refusal
 * leaves nothing behind, the next one finds it as new.
 */
async function inShared(use: (w: Workspace) => Promise<void>): Promise<void> {
  shared ??= makeWorkspace().then(async (w) => {
    globalThis.addEventListener("unload", () => Deno.removeSync(w.dir, { recursive: true }));
    await makeGood(w);
    return w;
  });
  const w = await shared;
  const own = [...Deno.readDirSync(w.dir)].map((entry) => entry.name);
  try {
    await use(w);
  } finally {
    for (const { name } of [...Deno.readDirSync(w.dir)]) {
      if (!own.includes(name)) await Deno.remove(`${w.dir}/${name}`, { recursive: true });
    }
  }
}

/** Times of directories change when something is made in them and removed again. */
function withoutTimes(tree: Tree): Tree {
  return Object.fromEntries(
    Object.entries(tree).map(([path, node]) => [
      path,
      node.type === "directory" ? { ...node, mtime: "any" } : node,
    ]),
  );
}

/** Everything that an image must not touch. */
async function outside(w: Workspace): Promise<unknown> {
  const top = [...Deno.readDirSync(w.dir)].map((entry) => entry.name).sort();
  return { top, canary: await describe(w.canary, true) };
}

/** What a rejection must say. */
export interface Rejection {
  code: ErrorCode;
  /** Fragments of the message. */
  says?: readonly string[];
  /** Index of the layer that the message must name by number and digest. */
  layer?: number;
  create?: CreateOptions;
}

/** Asserts that `attempt` fails as told. */
export async function assertFails(
  attempt: () => Promise<unknown>,
  want: Rejection,
): Promise<Error> {
  try {
    await attempt();
  } catch (error) {
    assert(error instanceof LayerfsError, `not a LayerfsError: ${(error as Error).stack ?? error}`);
    assertEquals({ code: error.code, message: error.message }, {
      code: want.code,
      message: error.message,
    });
    for (const fragment of want.says ?? []) assertStringIncludes(error.message, fragment);
    return error;
  }
  throw new Error(`accepted, but should fail with ${want.code}`);
}

/** Makes an image in a workspace. */
export type MakeImage = ImageSpec | ((w: Workspace) => ImageSpec);

function build(w: Workspace, make: MakeImage): BuiltImage {
  return imageLayout(`${w.dir}/image`, typeof make === "function" ? make(w) : make);
}

/** Asserts that `create` refuses a reference and leaves everything as it was. */
export async function assertRefused(
  w: Workspace,
  reference: string,
  want: Rejection,
): Promise<Error> {
  const before = { ...await outside(w) as object, store: withoutTimes(await describe(w.store)) };
  const error = await assertFails(
    () => create(w, reference, { bundle: w.bundle, ...want.create }),
    want,
  );
  const after = { ...await outside(w) as object, store: withoutTimes(await describe(w.store)) };
  assertEquals(after, before);
  return error;
}

/** Registers a test: the image is refused, and everything is as before. */
export function rejects(name: string, make: MakeImage, want: Rejection): void {
  Deno.test(`rejected: ${name}`, () =>
    inShared(async (w) => {
      const image = build(w, make);
      const files = await describe(image.dir);
      const error = await assertRefused(w, image.reference, want);
      assertEquals(await describe(image.dir), files);
      if (want.layer !== undefined) {
        assertStringIncludes(error.message, image.layerDigests[want.layer] ?? "no such layer");
        assertStringIncludes(
          error.message,
          `layer ${want.layer + 1} of ${image.layerDigests.length}`,
        );
      }
      const blamesImage = /-invalid$|-mismatch$|^unsupported$/.test(want.code);
      if (blamesImage) assertEquals(exitStatus(want.code), 3);
    }));
}

/** Registers a test: a layer on top of {@linkcode GOOD_LAYER} is refused, with the entry named. */
export function rejectsLayer(
  name: string,
  members: readonly Uint8Array[] | ((w: Workspace) => readonly Uint8Array[]),
  says: readonly string[],
): void {
  const spec = (w: Workspace): ImageSpec => {
    const layer = typeof members === "function" ? members(w) : members;
    return { layers: [{ tar: tarball(GOOD_LAYER) }, { tar: tarball(layer) }] };
  };
  rejects(name, spec, { code: "image-invalid", says, layer: 1 });
}

/** What an accepted image must become. */
export interface Acceptance {
  tree: Tree | ((w: Workspace) => Tree);
  /** A fragment of each warning, in order; none where absent. */
  warnings?: readonly string[];
  create?: CreateOptions;
}

/** Asserts the result of a create call: its tree, its warnings. */
export async function assertCreated(
  w: Workspace,
  reference: string,
  want: Acceptance,
): Promise<CreateResult> {
  const result = await create(w, reference, want.create);
  await assertTree(result.rootfs, typeof want.tree === "function" ? want.tree(w) : want.tree);
  // What an ordinary user without subordinate ids is told is not about the image.
  const warnings = result.warnings.filter((warning) => !warning.startsWith("Only user 0 "));
  const wanted = want.warnings ?? [];
  assertEquals(warnings.length, wanted.length, warnings.join("\n"));
  wanted.forEach((fragment, i) => assertStringIncludes(warnings[i] ?? "", fragment));
  return result;
}

/** Registers a test: the image becomes exactly the tree given, and nothing else changes. */
export function becomes(name: string, make: MakeImage, want: Acceptance): void {
  Deno.test(`accepted: ${name}`, () =>
    withWorkspace(async (w) => {
      const image = build(w, make);
      await Deno.mkdir(w.store);
      const before = await outside(w);
      const files = await describe(image.dir);
      await assertCreated(w, image.reference, want);
      assertEquals(await outside(w), before);
      assertEquals(await describe(image.dir), files);
    }));
}

/** Registers a test: the layers become exactly the tree given. */
export function layersBecome(
  name: string,
  layers: Layers | ((w: Workspace) => Layers),
  tree: Acceptance["tree"],
  warnings?: readonly string[],
): void {
  const make = (w: Workspace): ImageSpec => ({
    layers: (typeof layers === "function" ? layers(w) : layers).map((members) => ({
      tar: tarball(members),
    })),
  });
  becomes(name, make, { tree, warnings });
}

/** Members of one layer, or what makes them. */
export type Members = readonly Uint8Array[] | ((w: Workspace) => readonly Uint8Array[]);

/** An image of one layer, run as told. */
export function imageOf(w: Workspace, members: Members, run: Json): ImageSpec {
  return {
    layers: [{ tar: tarball(typeof members === "function" ? members(w) : members) }],
    run,
  };
}

/** Makes a container and reads its config.json. */
export async function configOf(
  w: Workspace,
  spec: ImageSpec,
  o: CreateOptions = {},
): Promise<Json> {
  const { reference } = imageLayout(`${w.dir}/image`, spec);
  const before = await describe(w.canary, true);
  const { bundle } = await create(w, reference, o);
  assertEquals(await describe(w.canary, true), before);
  return JSON.parse(await Deno.readTextFile(`${bundle}/config.json`));
}
