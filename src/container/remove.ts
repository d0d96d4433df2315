/**
 * `layerfs rm`: containers and all that is theirs.
 *
 * @module
 */

import { LayerfsError, within } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { Claim, ROOTFS } from "../store/claim.ts";
import { mountsBelow } from "../store/mounts.ts";
import type { Staging } from "../store/staging.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { storageError } from "../system_error.ts";
import { containerPath, getContainer } from "./containers.ts";
import { findRunning, stopContainer } from "./runtime.ts";

/**
 * Removes containers. Each goes as a whole: it loses its record first, so that a kill leaves litter,
 * never half a container.
 *
 * @param force also those that run: their processes are killed; and those whose record is damaged
 * @returns the ids that were removed, as given
 * @throws {LayerfsError} `not-found` before anything is removed, `busy` for one that runs
 */
export async function removeContainers(
  options: StoreOptions,
  ids: readonly string[],
  force: boolean,
): Promise<string[]> {
  const wanted = [...new Set(ids)].map((id) => find(options.store, id, force));
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

/** A container, as far as that must be known of it to be removed. */
interface Doomed {
  readonly id: string;
  /** Absolute path of its bundle. */
  readonly bundle: string;
  /** When it was made, and its top layer; null where its record does not say so any more. */
  readonly created: string | null;
  readonly top: Digest | null;
}

/** @throws {LayerfsError} `not-found`; without `force`, `storage` where its record is damaged */
function find(store: string, id: string, force: boolean): Doomed {
  try {
    const { bundle, record: { created, top } } = getContainer(store, id);
    return { id, bundle, created, top };
  } catch (error) {
    const isDamaged = error instanceof LayerfsError && error.code === "storage";
    if (!isDamaged || !force) throw error;
    const bundle = Deno.realPathSync(containerPath(store, id));
    return { id, bundle, created: null, top: null };
  }
}

/** Whether the name still means the container that was looked at, and not one made since. */
function isSame(a: Doomed, b: Doomed): boolean {
  return a.bundle === b.bundle && a.created === b.created;
}

async function stop({ id, bundle }: Doomed, force: boolean): Promise<void> {
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

async function remove(store: Store, container: Doomed): Promise<void> {
  const { id, bundle, top } = container;
  // Whoever reads it, or moves it to another image, comes to an end first.
  using lock = await store.lockContainer(id);
  const rootfs = `${bundle}/${ROOTFS}`;
  const mount = (await mountsBelow(bundle)).find((path) => path !== rootfs);
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
      await store.driver.removeRootfs({ id, rootfs, top });
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
async function take(store: Store, container: Doomed, staging: Staging): Promise<Claim | null> {
  using _lock = await store.lockNames();
  const { id, bundle, created, top } = container;
  if (!isSame(container, find(store.path, id, created === null))) return null;
  const isInStore = bundle === Deno.realPathSync(store.containers) + `/${id}`;
  const elsewhere = isInStore ? null : bundle;
  const claimed = { kind: "remove", id, elsewhere, top } as const;
  return Claim.take(claimed, store, staging);
}
