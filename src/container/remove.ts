/**
 * `layerfs rm`: containers and all that is theirs.
 *
 * @module
 */

import { LayerfsError, within } from "../errors.ts";
import { Claim } from "../store/claim.ts";
import { mountsBelow } from "../store/mounts.ts";
import type { Staging } from "../store/staging.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { storageError } from "../system_error.ts";
import { type Container, getContainer, rootfsOf } from "./containers.ts";
import { findRunning, stopContainer } from "./runtime.ts";

/**
 * Removes containers. Each goes as a whole: it loses its record first, so that a kill leaves litter,
 * never half a container.
 *
 * @param force also those that run: their processes are killed
 * @returns the ids that were removed, as given
 * @throws {LayerfsError} `not-found` before anything is removed, `busy` for one that runs
 */
export async function removeContainers(
  options: StoreOptions,
  ids: readonly string[],
  force: boolean,
): Promise<string[]> {
  const wanted = [...new Set(ids)].map((id) => getContainer(options.store, id));
  using store = await Store.open(options);
  const removed: string[] = [];
  for (const container of wanted) {
    try {
      await stop(container, force);
      await remove(store, container);
    } catch (error) {
      if (error instanceof LayerfsError && removed.length > 0) {
        throw within(error, `Removed ${removed.join(", ")}`, { removed: removed.join(",") });
      }
      throw error;
    }
    removed.push(container.id);
  }
  return [...ids];
}

/** Whether the name still means the container that was looked at, and not one made since. */
function isSame(a: Container, b: Container): boolean {
  return a.bundle === b.bundle && a.record.created === b.record.created;
}

async function stop({ id, bundle }: Container, force: boolean): Promise<void> {
  const running = await findRunning(id, bundle);
  if (running === null) return;
  if (!force && running.status === "running") {
    throw new LayerfsError(
      "busy",
      `Cannot remove container "${id}": it runs as process ${running.pid}; stop it, or use --force`,
      { id, pid: running.pid },
    );
  }
  await stopContainer(id, running);
}

async function remove(store: Store, container: Container): Promise<void> {
  const { id, bundle } = container;
  // Whoever reads it, or moves it to another image, comes to an end first.
  using lock = await store.lockContainer(id);
  const rootfs = rootfsOf(container);
  const mount = (await mountsBelow(bundle)).find((path) => path !== rootfs.rootfs);
  if (mount !== undefined) {
    throw new LayerfsError(
      "busy",
      `Cannot remove container "${id}": "${mount}" is a mount point; unmount it first`,
      { id, mount },
    );
  }
  await using staging = store.stage();
  try {
    const claim = await take(store, container, staging);
    if (claim === null) return; // another one is there by now
    try {
      await store.driver.removeRootfs(rootfs);
    } catch (error) {
      claim.giveBack();
      throw error;
    }
    await claim.discard();
    lock.remove();
  } catch (error) {
    throw storageError(error, `Cannot remove container "${id}"`);
  }
}

/** Takes the container's record away, unless its name means another one by now. */
async function take(store: Store, container: Container, staging: Staging): Promise<Claim | null> {
  using _lock = await store.lockNames();
  if (!isSame(container, getContainer(store.path, container.id))) return null;
  const { id, bundle } = container;
  const isInStore = bundle === Deno.realPathSync(store.containers) + `/${id}`;
  const elsewhere = isInStore ? null : bundle;
  const claimed = { kind: "remove", id, elsewhere, top: container.record.top } as const;
  return Claim.take(claimed, store, staging);
}
