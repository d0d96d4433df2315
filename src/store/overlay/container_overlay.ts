/**
 * A container's root filesystem: an overlay whose changes are in the bundle.
 *
 *     <bundle>/rootfs          the mount point; of a container that began empty, its files
 *     <bundle>/overlay/upper   what the container has changed
 *     <bundle>/overlay/work    what overlayfs needs beside it
 *
 * The bundle may be on another filesystem than the layers.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { LayerfsError } from "../../errors.ts";
import { lstatOrNull, namesIn } from "../../files.ts";
import { storageError } from "../../system_error.ts";
import type { ContainerRootfs } from "../driver.ts";
import { exchange } from "../exchange.ts";
import { type ListedMount, mountsBelow } from "../mounts.ts";
import { removeTree } from "../remove_tree.ts";
import { isMountPoint } from "../mount_point.ts";
import { mountOverlay } from "./mount_overlay.ts";
import { containerSource } from "./mount_source.ts";
import { copyRootAttributes } from "./root_attributes.ts";
import { ROOT_MODE } from "./staged_overlay.ts";
import { checkUnused, unmount } from "./unmount.ts";

export class ContainerOverlay {
  readonly #id: string;
  readonly #rootfs: string;
  readonly #isPlain: boolean;
  readonly #overlay: string;
  readonly #store: string;

  /** @param store absolute path of the store that its layers are in */
  constructor({ id, rootfs, top }: ContainerRootfs, store: string) {
    this.#store = store;
    this.#id = id;
    this.#rootfs = rootfs;
    this.#isPlain = top === null;
    this.#overlay = `${dirname(rootfs)}/overlay`;
  }

  /** What only this container has. */
  get own(): string {
    return this.#isPlain ? this.#rootfs : `${this.#overlay}/upper`;
  }

  /** Whether it is there, mounted or not. */
  get exists(): boolean {
    return lstatOrNull(this.own)?.isDirectory ?? false;
  }

  /** Whether it can be used as it is. */
  get isMounted(): boolean {
    return this.#isPlain ? this.exists : isMountPoint(this.#rootfs);
  }

  /** Whether `mount`, which is at its place, is its own; one that began empty has none. */
  isItself({ source, fstype }: ListedMount): boolean {
    return !this.#isPlain && this.exists && fstype === "overlay" && source === this.#source;
  }

  /**
   * Makes it and mounts it. On an error, nothing is left of it.
   *
   * @param lowers `diff` of its layers, the top first; none for a container that begins empty
   * @throws {LayerfsError} `conflict` where there is something in its place already, which stays
   */
  async create(lowers: readonly string[]): Promise<void> {
    const action = `Cannot make the root filesystem of container "${this.#id}"`;
    // An empty directory is no more than a place to mount at.
    const taken = [this.#rootfs, `${this.#overlay}/upper`].find((place) => !isVacant(place));
    if (taken !== undefined) {
      throw new LayerfsError("conflict", `${action}: "${taken}" is there already`);
    }
    try {
      await removeTree(this.#rootfs);
      makeDirectory(this.#rootfs, action);
      if (this.#isPlain) return;
      await removeTree(this.#overlay);
      makeDirectory(this.#overlay, action, 0o700);
      makeDirectory(`${this.#overlay}/work`, action, 0o700);
      makeDirectory(this.own, action);
      await copyRootAttributes(lowers[0]!, this.own, action);
      await this.#mount(lowers);
    } catch (error) {
      await this.remove();
      throw error;
    }
  }

  /**
   * Mounts it, unless it is.
   *
   * @throws {LayerfsError} `not-found` where it is not there; `busy` where processes in other mount
   * namespaces use it still: the kernel leaves open what a second mount would show to whom
   */
  async mount(lowers: () => readonly string[]): Promise<void> {
    if (this.isMounted) return;
    const action = `Cannot mount container "${this.#id}"`;
    if (!this.exists) {
      const state = `there is no directory "${this.own}"; remove the container`;
      throw new LayerfsError("not-found", `${action}: ${state}`);
    }
    if (lstatOrNull(this.#rootfs) === null) makeDirectory(this.#rootfs, action);
    await checkUnused(this.#rootfs, this.#source, action);
    await this.#mount(lowers());
  }

  /** Unmounts it, if it is. */
  async unmount(): Promise<void> {
    if (!this.#isPlain) await unmount(this.#rootfs, `Cannot unmount container "${this.#id}"`);
  }

  /**
   * Unmounts and removes it, as far as it is there.
   *
   * @throws {LayerfsError} `busy`, with nothing removed. It is unmounted even so where only processes
   * in other mount namespaces use it: a second mount beside theirs could see other files than they do
   */
  async remove(): Promise<void> {
    const action = `Cannot remove container "${this.#id}"`;
    // Whatever the container began with: a mount that is there must not have its files removed.
    await unmount(this.#rootfs, action);
    if (!this.#isPlain && this.exists) await checkUnused(this.#rootfs, this.#source, action);
    const places = [this.#rootfs, this.#overlay].filter((place) => lstatOrNull(place) !== null);
    for (const place of places) {
      const [mount] = await mountsBelow(Deno.realPathSync(place));
      if (mount === undefined) continue;
      const state = `"${mount}" is a mount point; unmount it first`;
      throw new LayerfsError("busy", `${action}: ${state}`, { id: this.#id, mount });
    }
    for (const place of places) await removeTree(place);
  }

  /**
   * Makes sure that nothing is mounted in it, and where it is unmounted, that nobody uses it.
   *
   * @throws {LayerfsError} `busy`
   */
  async checkReplaceable(): Promise<void> {
    const action = `Cannot replace the root filesystem of container "${this.#id}"`;
    const mount = (await mountsBelow(this.#rootfs)).find((place) => place !== this.#rootfs);
    if (mount !== undefined) {
      const state = `"${mount}" is a mount point; unmount it first`;
      throw new LayerfsError("busy", `${action}: ${state}`, { id: this.#id, mount });
    }
    if (!this.isMounted) await checkUnused(this.#rootfs, this.#source, action);
  }

  /** Takes the changes of another one over, and puts its own aside; neither is mounted. */
  replaceBy(other: ContainerOverlay, aside: string): void {
    exchange(this.#overlay, other.#overlay, aside);
  }

  /** What its mount is called, wherever it is. */
  get #source(): string {
    return containerSource(this.#store, this.own);
  }

  #mount(lowers: readonly string[]): Promise<void> {
    return mountOverlay({
      source: this.#source,
      target: this.#rootfs,
      lowers,
      upper: { upper: this.own, work: `${this.#overlay}/work` },
      links: `${this.#overlay}/links`,
    });
  }
}

/** Whether `place` is free, or an empty directory that nothing is mounted at. */
function isVacant(place: string): boolean {
  const stat = lstatOrNull(place);
  if (stat === null) return true;
  return stat.isDirectory && !isMountPoint(place) && namesIn(place).length === 0;
}

function makeDirectory(place: string, action: string, mode = ROOT_MODE): void {
  try {
    Deno.mkdirSync(place);
    Deno.chmodSync(place, mode); // whatever the umask
  } catch (error) {
    throw storageError(error, action);
  }
}
