/**
 * `layerfs rm`: containers and all that is theirs.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { Claim } from "../store/claim.ts";
import { mountsBelow } from "../store/mounts.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { storageError } from "../system_error.ts";
import { type Container, containerPath, getContainer, rootfsOf } from "./containers.ts";
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
  for (const container of wanted) {
    await stop(container, force);
    using _lock = await store.lockNames();
    if (isSame(container, getContainer(options.store, container.id))) {
      await remove(store, container);
    }
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
    const name = containerPath(store.path, id);
    const claimed = { id, bundle, name, top: rootfs.top };
    const claim = Claim.take(claimed, store.driver, staging);
    try {
      await store.driver.removeRootfs(rootfs);
    } catch (error) {
      claim.giveBack();
      throw error;
    }
    await claim.discard();
  } catch (error) {
    throw storageError(error, `Cannot remove container "${id}"`);
  }
}
