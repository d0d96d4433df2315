/**
 * `layerfs diff`: what a container has changed.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { decodeName, decodeUtf8, type RawNames } from "../core/raw_name.ts";
import { LayerfsError } from "../errors.ts";
import { type ChangeKind, type TreeChanges, treeChanges } from "../layer/tree_changes.ts";
import { LayerFS } from "../store/layerfs.ts";
import type { Work } from "../store/work.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { type BasePlaces, withBaseTree } from "./base.ts";
import { type Container, getContainer, getSettled, rootfsOf } from "./containers.ts";

/** One name that a container has changed, as `diff --json` prints it. */
export interface DiffRow {
  /** Added; modified, or replaced; deleted, with all below it. */
  readonly kind: ChangeKind;
  /** Absolute, in the container; bytes that are not UTF-8 as `\xNN`. */
  readonly path: string;
}

/**
 * What a container has changed since it was created, in the order of the bytes of the paths.
 *
 * @throws {LayerfsError} `not-found`; `conflict` where files go away meanwhile
 */
export async function diffContainer(
  options: StoreOptions & Work & BasePlaces,
  id: string,
): Promise<DiffRow[]> {
  getContainer(options.store, id); // before the store is opened: a failure must not make one
  using store = await Store.open(options, "shared", options.signal);
  const container = getSettled(store.path, id);
  return await withChanges(store, container, options, ({ changes, names }) => {
    const rows = changes.map(({ kind, path }) => ({ kind, path: `/${legible(path, names)}` }));
    return Promise.resolve(rows);
  });
}

/**
 * Compares a container's root filesystem with what it began as, and shows `use` both and the
 * differences. Both are mounted meanwhile.
 */
export async function withChanges<T>(
  store: Store,
  container: Container,
  work: Work & BasePlaces,
  use: (changes: TreeChanges) => Promise<T>,
): Promise<T> {
  const rootfs = rootfsOf(container);
  using _lock = await store.lockContainer(container.id, work.signal);
  refuseMoved(container, store);
  return await withBaseTree(
    store,
    container,
    work,
    (base) =>
      new LayerFS(store).withRootfs(rootfs, async () => {
        await using staging = store.stage();
        const candidates = await store.driver.changedPaths(rootfs);
        const options = { scratch: staging.path, signal: work.signal };
        return await use(await treeChanges(base, rootfs.rootfs, candidates, options));
      }),
  );
}

/** Refuses a container that was moved to another image, or made anew, before it was locked. */
export function refuseMoved({ id, record }: Container, store: Store): void {
  const now = getSettled(store.path, id).record;
  if (now.created === record.created && now.top === record.top) return;
  throw new LayerfsError(
    "conflict",
    `Cannot read container "${id}": it was replaced meanwhile; try again`,
    { id },
  );
}

/** A path for people and for JSON: bytes that are not UTF-8 as `\xNN`. */
export function legible(path: string, names: RawNames): string {
  return path.split("/").map((name) => {
    const bytes = decodeName(name, names) ?? new Uint8Array();
    const text = decodeUtf8(bytes);
    if (text !== undefined) return text;
    const escape = (char: string) => `\\x${char.charCodeAt(0).toString(16)}`;
    return Buffer.from(bytes).toString("latin1").replace(/[^\x20-\x7e]/g, escape);
  }).join("/");
}
