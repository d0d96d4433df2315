/**
 * Whose datasets these are. Two stores on the same ones would remove each other's layers and
 * containers: a copy of a store's directory, say, names the datasets of the original.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { DatasetNames } from "./dataset_names.ts";
import { type Properties, propertiesOf } from "./properties.ts";

/** User property of R/layers, R/containers and R/staging: path of their store, as {@linkcode ownerOf}. */
export const STORE = "org.layerfs:store";

/** The value of {@linkcode STORE}: control characters would break the lines of `zfs get`. */
export function ownerOf(store: string): string {
  return encodeURI(store);
}

/** The path that a value of {@linkcode STORE} stands for; people can set any. */
function pathOf(owner: string): string {
  try {
    return decodeURI(owner);
  } catch {
    return owner;
  }
}

/** Makes sure that the datasets of a store are its own. */
export class Ownership {
  readonly #names: DatasetNames;
  readonly #owner: string;
  /** Those that have been found to be. */
  readonly #verified = new Set<string>();

  /** @param store absolute path of the store's directory */
  constructor(names: DatasetNames, store: string) {
    this.#names = names;
    this.#owner = ownerOf(store);
  }

  /**
   * Looks at what has been asked for anyway.
   *
   * @param all with the property {@linkcode STORE} of `dataset`, unless that is missing
   * @param dataset R/layers, R/containers or R/staging
   * @throws {LayerfsError} `conflict` where it belongs to another store, or to nobody
   */
  check(all: Properties, dataset: string, action: string): void {
    const properties = all.get(dataset);
    if (properties === undefined) return;
    const owner = properties.get(STORE) ?? "-";
    if (owner === this.#owner) {
      this.#verified.add(dataset);
      return;
    }
    const whose = owner === "-"
      ? "is not marked as that of any store"
      : `belongs to the store at "${pathOf(owner)}"`;
    const { layers, containers, staging } = this.#names;
    const advice = "use another dataset; or, if that store has moved here and is not there any " +
      `more, "zfs set ${STORE}=${this.#owner} ${layers} ${containers} ${staging}"`;
    const message = `${action}: dataset "${dataset}" ${whose}; ${advice}`;
    throw new LayerfsError("conflict", message, { dataset });
  }

  /**
   * The same before something is destroyed: asks where that has not been done yet. That the dataset is
   * missing is no error.
   */
  async verify(dataset: string, action: string): Promise<void> {
    if (this.#verified.has(dataset)) return;
    this.check(await propertiesOf([dataset], dataset, [STORE], action), dataset, action);
  }
}
