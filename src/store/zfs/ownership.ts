/**
 * Whose datasets these are. Two stores on the same ones would remove each other's layers and
 * containers: a copy of a store's directory, say, names the datasets of the original.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import type { DatasetNames } from "./dataset_names.ts";
import { type Properties, propertiesOf } from "./properties.ts";

/** User property of R/layers, R/containers and R/staging: path of their store, as a URI has it. */
export const STORE = "org.layerfs:store";

/** The path that a value of {@linkcode STORE} stands for; people can set any. */
function pathOf(owner: string): string {
  try {
    return decodeURI(owner);
  } catch {
    return owner;
  }
}

/**
 * What a store remembers of where it is: to look at its datasets would take every warm create one more
 * call of `zfs`.
 */
export interface Home {
  /** Whether its datasets have been found to be its own where it is now. */
  readonly isKnown: boolean;
  /** Keeps that they have. */
  readonly remember: () => void;
}

/** Makes sure that the datasets of a store are its own. */
export class Ownership {
  /** What {@linkcode STORE} is to be. */
  readonly owner: string;
  readonly #names: DatasetNames;
  readonly #home: Home;
  #isHome: boolean;
  /** Those that have been found to be. */
  readonly #verified = new Set<string>();

  /** @param store absolute path of the store's directory */
  constructor(names: DatasetNames, store: string, home: Home) {
    this.#names = names;
    this.#home = home;
    this.#isHome = home.isKnown;
    // Control characters would break the lines of `zfs get`.
    this.owner = encodeURI(store);
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
    if (owner === this.owner) {
      this.#verified.add(dataset);
      return;
    }
    const whose = owner === "-"
      ? "is not marked as that of any store"
      : `belongs to the store at "${pathOf(owner)}"`;
    const { layers, containers, staging } = this.#names;
    const advice = "use another dataset; or, if that store has moved here and is not there any " +
      `more, "zfs set ${STORE}=${this.owner} ${layers} ${containers} ${staging}"`;
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

  /** The same before something is made: asks only where the store does not remember to be here. */
  async confirm(dataset: string, action: string): Promise<void> {
    if (this.#isHome) return;
    await this.verify(dataset, action);
    if (!this.#verified.has(dataset)) return;
    this.#home.remember();
    this.#isHome = true;
  }
}
