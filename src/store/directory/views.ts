/**
 * Read-only views of the trees of layers: bind mounts at `views/<hex>` in the store.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import { lstatOrNull, removeDirectory } from "../../files.ts";
import type { Digest } from "../../oci/digest.ts";
import { check, run } from "../../process.ts";
import { errnoName, storageError } from "../../system_error.ts";
import { layerName } from "../layer_record.ts";
import { mountsBelow } from "../mounts.ts";
import { TREE } from "./staged_tree.ts";

/** The views of one store. */
export class Views {
  readonly #path: string;

  /** @param path directory for them; absolute, made where it is missing */
  constructor(path: string) {
    this.#path = path;
  }

  /** Names of the layers that have one, whatever their number in one call. */
  async mounted(): Promise<ReadonlySet<string>> {
    if (lstatOrNull(this.#path) === null) return new Set();
    const path = Deno.realPathSync(this.#path);
    const targets = await mountsBelow(path);
    return new Set(targets.map((target) => target.slice(path.length + 1)));
  }

  /**
   * Mounts `tree`, the tree of a layer, unless it is mounted.
   *
   * @returns where
   * @throws {LayerfsError} `privilege-missing` for anybody but root
   */
  async mount(chainId: Digest, tree: string): Promise<string> {
    const action = `Cannot mount layer ${chainId}`;
    const view = this.#view(chainId);
    if ((await this.mounted()).has(layerName(chainId))) return view;
    if (Deno.uid() !== 0) {
      const advice = `run as root, or read "${tree}", and change nothing there`;
      throw new LayerfsError("privilege-missing", `${action}: only root can mount; ${advice}`);
    }
    try {
      Deno.mkdirSync(view, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw storageError(error, action);
    }
    check(await run("mount", ["--bind", tree, view]), action, "storage");
    try {
      // The flags of a bind mount are its own, and can be set by a second call only.
      const args = ["--options", "remount,bind,ro", view];
      check(await run("mount", args), action, "storage");
      await checkReadOnly(view, action);
    } catch (error) {
      await this.unmount(chainId);
      throw error;
    }
    return view;
  }

  /**
   * Ends what {@linkcode Views.mount} did.
   *
   * @throws {LayerfsError} `busy`; also where somebody else has mounted something over it, which stays
   */
  async unmount(chainId: Digest): Promise<void> {
    const action = `Cannot unmount layer ${chainId}`;
    const view = this.#view(chainId);
    if (lstatOrNull(view) === null) return;
    if ((await this.mounted()).has(layerName(chainId))) {
      const root = (await this.#roots(view)).at(-1);
      if (root === undefined || !isTree(root, layerName(chainId))) {
        const state = `something else is mounted over it at "${view}"; unmount that first`;
        throw new LayerfsError("busy", `${action}: ${state}`, { path: view });
      }
      const result = await run("umount", [view]);
      const busy = /target is busy/.test(result.stderr);
      const advice = busy ? "; end the processes that use it" : "";
      check(result, `${action}${advice}`, busy ? "busy" : "storage");
    }
    try {
      removeDirectory(view);
    } catch (error) {
      if (errnoName(error) !== "ENOENT") throw storageError(error, action);
    }
  }

  /**
   * Makes sure that no view shows what is in `directory`, in the place of layers.
   *
   * @param directory a name
   * @throws {LayerfsError} `busy`
   */
  async checkUnmounted(directory: string): Promise<void> {
    for (const view of await this.mounted()) {
      const roots = await this.#roots(`${this.#path}/${view}`);
      if (!roots.some((root) => isTree(root, directory))) continue;
      const state = `it is mounted at "${this.#path}/${view}"; unmount that first`;
      throw new LayerfsError("busy", `Cannot remove damaged layer "${directory}": ${state}`);
    }
  }

  /** What is mounted at a view, the topmost last: each as a path in its filesystem. */
  async #roots(view: string): Promise<string[]> {
    const real = Deno.realPathSync(view); // as the kernel's table has it
    const args = ["--json", "--list", "--output", "TARGET,FSROOT"];
    const { stdout } = check(await run("findmnt", args), "Cannot list the mounts");
    const { filesystems } = JSON.parse(stdout) as {
      filesystems: { target: string; fsroot: string }[];
    };
    return filesystems.filter(({ target }) => target === real).map(({ fsroot }) => fsroot);
  }

  #view(chainId: Digest): string {
    return `${this.#path}/${layerName(chainId)}`;
  }
}

/**
 * Whether the root of a mount is the tree of a layer, whose directory may have been renamed, or
 * removed, since.
 *
 * @param name of the layer's directory, or a part of that
 */
function isTree(root: string, name: string): boolean {
  const [tree, directory] = root.replace(/\/\/deleted$/, "").split("/").reverse();
  return tree === TREE && directory !== undefined && directory.includes(name);
}

/** A bind mount has the device number of what it shows: only the list of mounts tells them apart. */
async function checkReadOnly(view: string, action: string): Promise<void> {
  const args = ["--noheadings", "--output", "VFS-OPTIONS", "--mountpoint", view];
  const { code, stdout } = await run("findmnt", args);
  if (code === 0 && stdout.trim().split(",").includes("ro")) return;
  const state = code === 0 ? `it is mounted with "${stdout.trim()}"` : "it is not mounted";
  throw new LayerfsError("storage", `${action}: ${state}, though mount(8) has succeeded`);
}
