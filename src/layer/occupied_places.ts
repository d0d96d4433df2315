/**
 * Where in a tree something may be already that the layer in hand does not name.
 *
 * @module
 */

/** A place in the tree: a real directory, and a name in it. */
export interface Place {
  /** The directory, relative to the root, with no symlink on the way. */
  readonly parent: string;
  readonly name: string;
  /** `parent/name`. */
  readonly path: string;
}

export class OccupiedPlaces {
  readonly #list: (directory: string) => Iterable<string>;
  /** Names in directories as the layers below left them, as far as they were asked for. */
  readonly #names = new Map<string, ReadonlySet<string>>();
  /** Directories that the layer in hand has made. */
  readonly #madeNow = new Set<string>();
  /** Whether there are layers below the one in hand. */
  #hasLower: boolean;
  #hasBegun = false;

  /**
   * @param hasLayers whether there are layers in the tree
   * @param list names in a real directory
   */
  constructor(hasLayers: boolean, list: (directory: string) => Iterable<string>) {
    this.#hasLower = hasLayers;
    this.#list = list;
  }

  /** Begins with a layer, on top of those before it. */
  beginLayer(): void {
    this.#hasLower ||= this.#hasBegun;
    this.#hasBegun = true;
    this.#names.clear();
    this.#madeNow.clear();
  }

  /** Notes a directory that was made for the layer in hand. */
  addMade(path: string): void {
    this.#madeNow.add(path);
  }

  /**
   * Whether something may be at `place` that the layer in hand does not name: of the layers below, or
   * a directory that a symlink's target led through. False is certain, and cheaper than to look.
   */
  mayHave({ parent, name, path }: Place): boolean {
    if (this.#madeNow.has(path)) return true;
    if (!this.#hasLower || this.#madeNow.has(parent)) return false;
    let names = this.#names.get(parent);
    if (names === undefined) {
      names = new Set(this.#list(parent));
      this.#names.set(parent, names);
    }
    return names.has(name);
  }
}
