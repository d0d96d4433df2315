/**
 * A store with containers, on a dataset of its own in the pool of the tests.
 *
 * @module
 */

import { assert, assertRejects } from "@std/assert";
import { fsck, type Problem } from "../../src/container/fsck.ts";
import { listLayers } from "../../src/container/layers.ts";
import { listContainers } from "../../src/container/list.ts";
import { removeContainers } from "../../src/container/remove.ts";
import { LayerfsError } from "../../src/errors.ts";
import { run } from "../../src/process.ts";
import { RebaseGround, type RebaseStore } from "../container/rebase_ground.ts";
import { datasets, POOL, zfs } from "./harness.ts";

let stores = 0;

/** A store of its own, whose datasets are gone at the end. */
export function zfsStore(): RebaseStore & { readonly dataset: string } {
  const dataset = `${POOL}/store-${Deno.pid}-${stores++}`;
  const dispose = async () => {
    for (let tries = 9; (await datasets(dataset)).length > 0; tries--) {
      // What was unmounted a moment ago, zfs-fuse finds busy.
      await zfs("destroy", "-R", "-f", dataset).catch((error) => {
        if (tries === 0) throw error;
      });
    }
  };
  return { driver: "zfs", dataset, dispose, deno: ["env", Deno.execPath()] };
}

/** A store with containers of an image that has the file "f". */
export class Ground extends RebaseGround {
  readonly dataset: string;

  constructor() {
    const store = zfsStore();
    super(store);
    this.dataset = store.dataset;
  }

  /** Makes the container; returns its root filesystem. */
  async container(id: string, more: { bundle?: string } = {}): Promise<string> {
    // zfs-fuse keeps whole seconds: another time would be an altered one.
    const script = "echo content > f; touch -d @1700000000 f .";
    const image = await this.image(await this.tree(script));
    return (await this.create(image, id, more)).rootfs;
  }

  async check(repair: boolean, deep = false): Promise<readonly Problem[]> {
    return (await fsck({ ...this.work, deep, repair })).problems;
  }

  /** Renames a dataset, as the advice of fsck has it, or a user: what was just unmounted is busy. */
  async rename(from: string, to: string): Promise<void> {
    for (let tries = 20;; tries--) {
      const { code, stderr } = await run("zfs", ["rename", from, to]);
      if (code === 0) return;
      if (tries === 0 || !stderr.includes("busy")) throw new Error(stderr);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Kinds and subjects of what fsck finds. */
  async problems(repair: boolean, deep = false): Promise<string[]> {
    return (await this.check(repair, deep)).map(({ kind, subject, repaired }) => {
      return `${kind} ${subject}${repaired ? " repaired" : ""}`;
    });
  }

  async remove(id: string): Promise<void> {
    await removeContainers(this.work, [id], false);
  }

  /** ChainIDs, those below first. */
  async layerIds(): Promise<string[]> {
    return (await listLayers(this.work)).map(({ chainId }) => chainId);
  }

  async ids(): Promise<string[]> {
    return (await listContainers(this.work)).map(({ id }) => id);
  }
}

/** The error that `action` ends with, whatever the cleaning up says after it: what people are told. */
export async function refusal(action: () => Promise<unknown>): Promise<LayerfsError> {
  let error: unknown = await assertRejects(action);
  while (error instanceof SuppressedError) error = error.suppressed;
  assert(error instanceof LayerfsError, String(error));
  return error;
}
