/**
 * A layer's record as user properties of its snapshot: whoever finds the pool finds what its
 * datasets are.
 *
 *     org.layerfs:chain-id   sha256:…
 *     org.layerfs:diff-id    sha256:…
 *     org.layerfs:parent     sha256:… or "none"
 *     org.layerfs:traits     such as "rawNames,fineTimes", or "none"
 *
 * @module
 */

import { NO_TRAITS, type Traits } from "../../layer/traits.ts";
import { type Digest, digestProblem, parseDigest } from "../../oci/digest.ts";
import { layerName, type LayerRecord } from "../layer_record.ts";

/** User property of a layer's snapshot: its ChainID. */
export const CHAIN_ID = "org.layerfs:chain-id";
const DIFF_ID = "org.layerfs:diff-id";
const PARENT = "org.layerfs:parent";
const TRAITS = "org.layerfs:traits";

/** Stands for nothing: a user property cannot be told from none where it is empty. */
export const NONE = "none";

/** What is to be asked of a snapshot, for {@linkcode readRecord}. */
export const RECORD_PROPERTIES = [CHAIN_ID, DIFF_ID, PARENT, TRAITS, "defer_destroy"] as const;

/** What is to be asked of a layer's dataset and snapshot together. */
export const LAYER_PROPERTIES = ["used", ...RECORD_PROPERTIES] as const;

/** The options of `zfs snapshot` that keep a record. */
export function recordOptions({ chainId, diffId, parent, traits }: LayerRecord): string[] {
  const names = Object.entries(traits).filter(([, has]) => has).map(([name]) => name);
  const values = [
    [CHAIN_ID, chainId],
    [DIFF_ID, diffId],
    [PARENT, parent ?? NONE],
    [TRAITS, names.length === 0 ? NONE : names.join(",")],
  ];
  return values.flatMap(([property, value]) => ["-o", `${property}=${value}`]);
}

/**
 * The record of a layer.
 *
 * @param name last part of the dataset's name
 * @param properties of its snapshot @layer; undefined where it has none
 * @returns what is wrong, as text, where this is no whole layer
 */
export function readRecord(
  name: string,
  properties: ReadonlyMap<string, string> | undefined,
): LayerRecord | string {
  if (properties === undefined) return 'it has no snapshot "@layer"';
  // What is on removal may vanish at any moment, with the last clone of it.
  if (properties.get("defer_destroy") === "on") return 'its snapshot "@layer" is being removed';
  const chainId = toDigest(properties.get(CHAIN_ID));
  const diffId = toDigest(properties.get(DIFF_ID));
  const parent = properties.get(PARENT) === NONE ? null : toDigest(properties.get(PARENT));
  const traits = readTraits(properties.get(TRAITS));
  if (chainId === undefined || diffId === undefined || parent === undefined || traits === null) {
    return 'its snapshot "@layer" has no record that can be read';
  }
  if (layerName(chainId) !== name) return `its record is that of ${chainId}`;
  return { chainId, diffId, parent, traits };
}

/** The records of those of `chainIds` whose snapshots have one. */
export function readRecords(
  chainIds: readonly Digest[],
  snapshot: (chainId: Digest) => ReadonlyMap<string, string> | undefined,
): Map<Digest, LayerRecord> {
  const found = new Map<Digest, LayerRecord>();
  for (const chainId of chainIds) {
    const record = readRecord(layerName(chainId), snapshot(chainId));
    if (typeof record !== "string") found.set(chainId, record);
  }
  return found;
}

/** A digest of a property's value; undefined where it is none. */
export function toDigest(value: string | undefined): Digest | undefined {
  return value === undefined || digestProblem(value) !== null ? undefined : parseDigest(value);
}

/** Null for a trait that this version does not know: it could not honour it. */
function readTraits(value: string | undefined): Traits | null {
  if (value === undefined || value === "-") return null;
  const names = value === NONE ? [] : value.split(",");
  if (names.some((name) => !Object.hasOwn(NO_TRAITS, name))) return null;
  return { ...NO_TRAITS, ...Object.fromEntries(names.map((name) => [name, true])) };
}
