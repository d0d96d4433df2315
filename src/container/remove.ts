/**
 * `layerfs rm`: containers and all that is theirs.
 *
 * @module
 */

import fs from "node:fs";
import { LayerfsError } from "../errors.ts";
import { mountsBelow } from "../store/mounts.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { storageError } from "../system_error.ts";
import { type Container, containerPath, getContainer } from "./containers.ts";
import { findRunning, stopContainer } from "./runtime.ts";

/**
 * Removes containers. Each goes as a whole: it is renamed out of its place first, so that a kill
 * leaves litter, never half a container.
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
  const store = await Store.open(options);
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

async function remove(store: Store, { id, bundle }: Container): Promise<void> {
  const name = containerPath(store.path, id);
  const [mount] = await mountsBelow(bundle);
  if (mount !== undefined) {
    throw new LayerfsError(
      "busy",
      `Cannot remove container "${id}": "${mount}" is a mount point; unmount it first`,
      { id, mount },
    );
  }
  await using staging = store.stage();
  try {
    if (bundle === fs.realpathSync(store.path) + `/containers/${id}`) {
      fs.renameSync(name, `${staging.path}/bundle`);
    } else {
      fs.renameSync(bundle, `${staging.besides(bundle)}/bundle`);
      fs.unlinkSync(name);
    }
  } catch (error) {
    throw storageError(error, `Cannot remove container "${id}"`);
  }
}
