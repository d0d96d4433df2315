/**
 * What the platform tests of images in and out share: layerfs without credentials of this machine,
 * skopeo, and an image that every tool takes.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import type { BuiltImage, ImageSpec, Json } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import type { FaultyRegistry } from "../registry/faulty_registry.ts";
import { Layerfs, must, type Outcome, run, type Work } from "./harness.ts";

/** An image that every tool here takes, of two layers. */
export const IMAGE: ImageSpec = {
  layers: [
    { tar: tarball([file("etc/one", "one")]), compression: "gzip" },
    { tar: tarball([file("etc/two", "two".repeat(10_000))]), compression: "gzip" },
  ],
};

/** layerfs, with a home of its own so that no credentials of this machine come into play. */
export class Tool {
  readonly #layerfs: Layerfs;
  readonly env: Record<string, string>;

  private constructor(layerfs: Layerfs, home: string) {
    this.#layerfs = layerfs;
    this.env = { HOME: home, XDG_RUNTIME_DIR: "", REGISTRY_AUTH_FILE: "", DOCKER_CONFIG: "" };
  }

  /** @param driver the options that name it; without them it is "directory" */
  static async inside(work: Work, driver?: readonly string[]): Promise<Tool> {
    await Deno.mkdir(work.path("home"));
    return new Tool(await Layerfs.inside(work, driver), work.path("home"));
  }

  get store(): string {
    return this.#layerfs.store;
  }

  argv(args: readonly string[]): string[] {
    return this.#layerfs.argv(["--json", ...args]);
  }

  run(...args: string[]): Promise<Outcome> {
    return run(this.argv(args), { env: this.env });
  }

  /** Runs a command that must succeed, and returns its document. */
  async json(...args: string[]): Promise<Json> {
    return JSON.parse(await must(this.argv(args), { env: this.env }));
  }

  /** Runs a command that must fail, and returns its error. */
  async error(status: number, ...args: string[]): Promise<Json> {
    const { code, stdout, stderr } = await this.run(...args);
    assertEquals(code, status, stdout + stderr);
    return JSON.parse(stdout).error;
  }
}

/** Runs skopeo, which must succeed. */
export const skopeo = (...args: string[]) => must(["skopeo", "--insecure-policy", ...args]);

/** The manifest's bytes as skopeo reads them, and their digest. */
export async function rawDigest(reference: string, ...flags: string[]): Promise<string> {
  const raw = await skopeo("inspect", "--raw", ...flags, reference);
  return `sha256:${createHash("sha256").update(raw).digest("hex")}`;
}

/** Where a blob is in a layout. */
export const blob = (dir: string, digest: string) => `${dir}/blobs/${digest.replace(":", "/")}`;

/** Puts an image into a registry of the test's own, and returns its reference there. */
export function serve(registry: FaultyRegistry, image: BuiltImage, tag = "1"): string {
  for (const digest of [image.configDigest, ...image.layerDigests]) {
    registry.blob(Deno.readFileSync(blob(image.dir, digest)));
  }
  registry.manifest(tag, Deno.readTextFileSync(blob(image.dir, image.manifestDigest)));
  return `docker://${registry.host}/team/app:${tag}`;
}

/** Who may use a registry that asks for a password. */
export const USER = { name: "someone", password: "s3cret:with/colon" };
