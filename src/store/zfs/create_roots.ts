/**
 * The datasets that a store's others are in: made on its first use.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { DatasetNames } from "./dataset_names.ts";
import { type Ownership, STORE } from "./ownership.ts";
import { propertiesOf } from "./properties.ts";
import { tryZfs, zfs } from "./zfs.ts";
import { failureError } from "./zfs_failure.ts";

/** Everything below inherits these. `canmount` is not inherited. */
const NEVER_MOUNTED = ["-o", "mountpoint=none", "-o", "canmount=off"];

/**
 * Inherited too. Every ZFS knows them, and a pool may have them otherwise: guides for a root pool
 * normalize names, and some switch devices or setuid programs off.
 */
const PLAIN = [
  "exec=on",
  "setuid=on",
  "devices=on",
  // Names in a layer are bytes: none is to be refused, changed, or taken for another.
  "casesensitivity=sensitive",
  "normalization=none",
  "utf8only=off",
  // Tools that snapshot everything by the clock would keep every layer from being removed.
  "com.sun:auto-snapshot=false",
];

/**
 * Also the mark of a ZFS on which R/layers can be readonly=on, so that a layer becomes read-only as
 * it is renamed to a place below it.
 *
 * zfs-fuse keeps extended attributes in a hidden directory a file, and makes that when they are
 * first asked for: where it cannot, it says that it knows none, and the kernel believes that of the
 * whole mount. There, only the mount of a view is read-only, in the kernel. The layer is the
 * snapshot in either case, which nothing can change.
 */
const XATTRS = "xattr=sa";

/**
 * Set where this ZFS and this pool know them. xattr=sa and acltype=posix belong together
 * (zfsprops(7)). Not among them: sync=disabled, with which what was committed may be lost, and
 * recordsize, which is best as it is for files of all sizes.
 */
const OPTIONAL = [
  XATTRS,
  "acltype=posix",
  "relatime=on",
  // Features that a pool may lack: a complaint of that names no property, so they are tried last.
  "compression=lz4",
  "dnodesize=auto",
];

/**
 * Makes the root dataset and the three below it, as far as they are missing.
 *
 * @throws {LayerfsError} `environment-missing` for a pool that is not there, `conflict` for a dataset
 * that belongs to another store or to nobody, `usage` for one that is no filesystem
 */
export async function createRoots(names: DatasetNames, ownership: Ownership): Promise<void> {
  const { root, layers, containers, staging } = names;
  const action = `Cannot use dataset "${root}"`;
  const found = await propertiesOf(
    [root, layers, containers, staging],
    root,
    ["type", STORE],
    action,
  );
  const type = found.get(root)?.get("type");
  if (type !== undefined && type !== "filesystem") {
    throw new LayerfsError("usage", `${action}: it is a ${type}, not a filesystem`);
  }
  if (type === undefined) await createRoot(names, action);
  for (const name of [containers, staging, layers]) ownership.check(found, name, action);
  const owner = `${STORE}=${ownership.owner}`;
  let known: readonly string[] = OPTIONAL;
  for (const name of [containers, staging, layers].filter((name) => !found.has(name))) {
    const made = await createProbing(name, [...PLAIN, "readonly=off", owner], known, action);
    // Of two stores that are made at once, the one that made the first dataset gets the others too.
    await ownership.verify(name, action);
    if (made === null) continue;
    known = made;
    if (name === layers && known.includes(XATTRS)) await zfs(["set", "readonly=on", name], action);
  }
}

/** Makes R itself, and the datasets above it, none of which is ever mounted. */
async function createRoot(names: DatasetNames, action: string): Promise<void> {
  const parts = names.root.split("/");
  const above = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
  const found = await propertiesOf([names.pool, ...above], names.pool, ["type"], action);
  if (!found.has(names.pool)) throw missingPool(names.pool, action);
  for (const name of above.filter((name) => !found.has(name))) {
    await zfs(["create", "-o", "canmount=off", name], action, "exists");
  }
  await zfs(["create", ...NEVER_MOUNTED, names.root], action, "exists");
}

/**
 * Makes a dataset with those of the optional properties that are known.
 *
 * @returns which these are; null where another process has just made it
 */
async function createProbing(
  name: string,
  options: readonly string[],
  optional: readonly string[],
  action: string,
): Promise<readonly string[] | null> {
  let known = optional;
  for (;;) {
    const properties = [...options, ...known].flatMap((option) => ["-o", option]);
    const { failure } = await tryZfs(["create", ...NEVER_MOUNTED, ...properties, name]);
    if (failure === null) return known;
    if (failure.kind === "exists") return null;
    if (failure.kind !== "bad-property" || known.length === 0) throw failureError(failure, action);
    const { property } = failure;
    const rest = known.filter((option) => !option.startsWith(`${property}=`));
    // A feature that the pool lacks is reported without a name: see the order of these.
    known = rest.length < known.length ? rest : known.slice(0, -1);
  }
}

/** Those of the datasets below R that are not there, where R is. */
export async function missingRoots(names: DatasetNames): Promise<string[]> {
  const { root, layers, containers, staging } = names;
  const places = [containers, staging, layers];
  const action = `Cannot look for the datasets of "${root}"`;
  const found = await propertiesOf([root, ...places], root, ["type"], action);
  return found.has(root) ? places.filter((name) => !found.has(name)) : [];
}

/**
 * Why a dataset of the store is not there, where all of them are missing: a pool that is not
 * imported must not look like a store without layers.
 *
 * @returns null where the store's datasets are there
 */
export async function missingRoot(
  names: DatasetNames,
  action: string,
): Promise<LayerfsError | null> {
  const { pool, root, layers, containers, staging } = names;
  const places = [root, layers, containers, staging];
  const found = await propertiesOf([pool, ...places], pool, ["type"], action);
  if (!found.has(pool)) return missingPool(pool, action);
  const missing = places.find((name) => !found.has(name));
  if (missing === undefined) return null;
  const state = `there is no dataset "${missing}", which the store was made with`;
  // The others are more than "zfs create": what they are to have depends on this ZFS.
  const create = missing === root ? `"zfs create -p ${NEVER_MOUNTED.join(" ")} ${root}", and ` : "";
  const advice = `if it was renamed, "zfs rename" it back; for an empty one, ${create}` +
    "layerfs fsck --repair";
  return new LayerfsError("environment-missing", `${action}: ${state}; ${advice}`, {
    dataset: missing,
  });
}

function missingPool(pool: string, action: string): LayerfsError {
  const state = `there is no pool "${pool}"; "zpool import ${pool}" it if it exists, or make it: ` +
    `"zpool create ${pool} DEVICE"`;
  return new LayerfsError("environment-missing", `${action}: ${state}`, { pool });
}
