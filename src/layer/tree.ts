/**
 * A root filesystem being made, in a directory that only this process can enter.
 *
 * Paths are relative to the root, "" being the root itself. A parent is resolved inside the root
 * before anything is done below it, and the last component is never followed. Attributes of
 * directories wait until {@linkcode Tree.finish} (see directories.ts).
 *
 * @module
 */

import fs from "node:fs";
import { hasRawName } from "../core/raw_name.ts";
import { ApartNotes, NeedsLower } from "./apart.ts";
import {
  type Attributes,
  IMPLIED_DIRECTORY,
  isSettableTime,
  readAttributes,
} from "./attributes.ts";
import { Directories, WORKING_MODE } from "./directories.ts";
import type { Extractor } from "./extractor.ts";
import { statsOrNull } from "./file_kind.ts";
import { type LowerTree, readLowerTree, type ToldTree } from "./lower_tree.ts";
import { DEFAULT_ACL, NewFiles } from "./new_files.ts";
import { OccupiedPlaces, type Place } from "./occupied_places.ts";
import { RawNames } from "./raw_names.ts";
import {
  absolutePath,
  joinRelative,
  nameOf,
  notDirectory,
  parentOf,
  resolveDirectory,
  type Walk,
} from "./root_path.ts";
import { TarSpool } from "./tar_spool.ts";
import type { Traits } from "./traits.ts";
import { type Base, PLAIN_BASE } from "./tree_base.ts";

/** Thrown within {@linkcode Tree.findDirectory}: what it looks for cannot exist. */
class Absent extends Error {}

export class Tree {
  readonly root: string;
  /** Whether owners can be set and devices made. */
  readonly asRoot: boolean;
  readonly newFiles: NewFiles;
  /** Entries that wait for tar. */
  readonly spool: TarSpool;
  /** Paths of devices that were left out. */
  readonly skipped = new Set<string>();
  /** Names that wait for the end. */
  readonly rawNames: RawNames;
  /** What a layer that is unpacked apart says of those below it; null for any other. */
  readonly apart: ApartNotes | null;
  readonly #base: Base;
  readonly #directories: Directories;
  /** Whether all directories are known, exactly. */
  #knowsAll: boolean;
  /** Parents as entries name them, and the real directories that they are. */
  readonly #resolved = new Map<string, string>();
  readonly #occupied: OccupiedPlaces;
  /** Whether a directory of the layers below may have a default access control list. */
  readonly #mayGiveAcls: boolean;

  /**
   * @param root an existing directory; absolute
   * @param scratch a directory of our own on any filesystem, for spool files
   * @param base what is in `root`
   */
  constructor(
    root: string,
    scratch: string,
    asRoot: boolean,
    extractor: Extractor,
    base: Base = PLAIN_BASE,
  ) {
    this.root = root;
    this.asRoot = asRoot;
    const { traits, layer = 0, isPlain = false, told } = base;
    this.#mayGiveAcls = told?.mayGiveAcls ?? traits.directoryXattrs;
    const newFiles = new NewFiles(asRoot && isPlain && !this.#mayGiveAcls);
    this.newFiles = newFiles;
    this.spool = new TarSpool({ root, scratch, asRoot, newFiles, first: layer }, extractor);
    this.rawNames = new RawNames(root, scratch);
    this.apart = base.isApart === true ? new ApartNotes() : null;
    this.#directories = new Directories({
      root,
      scratch,
      asRoot,
      spool: this.spool,
      rawNames: this.rawNames,
    });
    this.#base = base;
    const hasLayers = base.hasLayers ?? fs.readdirSync(root).length > 0;
    this.#occupied = new OccupiedPlaces(hasLayers, (directory) => this.list(directory));
    this.#knowsAll = !hasLayers;
    if (!hasLayers) this.#directories.addMade("", IMPLIED_DIRECTORY);
    else if (told) this.#learn(told);
    else if (!asRoot || base.traits.rawNames || base.tells === true) this.#readLower();
  }

  /** Begins with a layer, on top of those before it. */
  beginLayer(): void {
    this.#occupied.beginLayer();
    this.spool.beginLayer();
  }

  /** The absolute path of `path`. */
  absolute(path: string): string {
    return absolutePath(this.root, path);
  }

  /**
   * The place that an entry's `path` (not "") names, its missing parents made.
   *
   * @throws {LayerfsError} `image-invalid` where a parent is a file, or a loop of symlinks
   */
  place(path: string): Place {
    const named = parentOf(path);
    let parent = this.hasDirectory(named) ? named : this.#resolved.get(named);
    if (parent === undefined) {
      parent = this.#resolve(named, {
        missing: (path) => this.makeDirectory(path),
        notDirectory: (path) => {
          throw notDirectory(named, path);
        },
      });
      this.#resolved.set(named, parent);
    }
    this.enter(parent);
    return placeIn(parent, named, path);
  }

  /** The place that `path` names, or null where its parent does not exist. Makes nothing. */
  find(path: string): Place | null {
    const named = parentOf(path);
    const parent = this.findDirectory(named);
    return parent === null ? null : placeIn(parent, named, path);
  }

  /** The real directory that `path` names, every symlink followed, or null. Makes nothing. */
  findDirectory(path: string): string | null {
    if (this.hasDirectory(path)) return path;
    const absent = (): never => {
      throw new Absent();
    };
    try {
      return this.#resolve(path, { missing: absent, notDirectory: absent });
    } catch (error) {
      if (error instanceof Absent) return null;
      throw error;
    }
  }

  /** Resolves with what this tree knows better than the filesystem. */
  #resolve(path: string, walk: Required<Pick<Walk, "missing" | "notDirectory">>): string {
    return resolveDirectory(this.root, path, {
      arriving: (component) => {
        // It may be a symlink. To look while tar makes it could find anything.
        if (this.spool.isWaiting(component) && !this.spool.hasFile(component)) this.spool.flush();
      },
      link: (component) => {
        if (this.apart !== null) throw new NeedsLower(`its symbolic link "${component}"`);
      },
      missing: (component) => {
        if (this.spool.isWaiting(component)) walk.notDirectory(component); // a file
        else walk.missing(component);
      },
      notDirectory: walk.notDirectory,
      linkTarget: (link) => this.rawNames.linkTarget(link),
    });
  }

  /** Whether a real directory is known to be at `path`: false where nobody has looked. */
  hasDirectory(path: string): boolean {
    return this.#directories.has(path);
  }

  /** lstat(2) of a real path, or null. */
  stat(path: string): fs.Stats | null {
    if (this.spool.isWaiting(path)) this.spool.flush();
    return statsOrNull(this.absolute(path));
  }

  /** Names in a real directory. */
  list(path: string): string[] {
    if (this.spool.hasBelow(path)) this.spool.flush();
    return fs.readdirSync(this.absolute(path));
  }

  /** As {@linkcode OccupiedPlaces.mayHave}. */
  mayHaveOther(place: Place): boolean {
    return this.#occupied.mayHave(place);
  }

  /** Makes a directory, of which the layers have said nothing yet. */
  makeDirectory(path: string): void {
    this.enter(parentOf(path));
    const absolute = this.absolute(path);
    fs.mkdirSync(absolute, WORKING_MODE);
    this.newFiles.look(absolute);
    this.#occupied.addMade(path);
    this.#directories.addMade(path, IMPLIED_DIRECTORY);
  }

  /** Replaces what a directory will have. */
  setDirectoryAttributes(path: string, attributes: Attributes): void {
    this.enter(path);
    this.#directories.replace(path, attributes);
  }

  /** The directories that were made here, or that were written into, and what they will have. */
  get directories(): Iterable<[path: string, attributes: Attributes]> {
    return this.#directories.attributes();
  }

  /**
   * Takes over what another tree has made, to a path where nothing is. Attributes of directories
   * come by {@linkcode adoptDirectory}.
   *
   * @param from absolute, on the same filesystem
   */
  adopt(path: string, from: string): void {
    this.enter(parentOf(path));
    fs.renameSync(from, this.absolute(path));
  }

  /** Takes over what a directory that was {@linkcode adopt}ed, or is below one, will have. */
  adoptDirectory(path: string, attributes: Attributes): void {
    this.#directories.addMade(path, attributes);
  }

  /** Forgets what the layers below have at `path`, and below: something else is in its place. */
  forget(path: string): void {
    this.#directories.forget(path);
    this.rawNames.forgetLinks(path);
    this.rawNames.forgetNames(path);
  }

  /** Removes what is at `path`, a directory with all that is in it. */
  remove(path: string, stat: fs.Stats): void {
    if (this.spool.hasBelow(path)) this.spool.flush();
    this.enter(parentOf(path));
    if (stat.isDirectory()) this.#removeDirectory(path);
    else fs.unlinkSync(this.absolute(path));
    this.rawNames.forgetLinks(path);
    // No path goes through a file. Through anything else one may have gone: resolve all anew.
    if (!stat.isFile()) this.#resolved.clear();
  }

  /**
   * Writes what waits, and gives every directory its attributes and every file its real name. The
   * tree is complete then.
   *
   * @returns what the tree has, by all its layers
   */
  finish(): Traits {
    this.spool.flush();
    const { traits } = this.#base;
    this.#directories.apply(traits.directoryXattrs);
    const set = [...this.directories].map(([, attributes]) => attributes);
    return {
      rawNames: traits.rawNames || this.rawNames.hasAny,
      fineTimes: traits.fineTimes || set.some(({ mtime }) => !isSettableTime(mtime)),
      directoryXattrs: traits.directoryXattrs || set.some(({ xattrs }) => xattrs !== null),
    };
  }

  /**
   * What this tree, which is complete, says of itself to one that begins with a copy of it: its
   * {@linkcode Base.told}. Null where not all of it is known.
   */
  get told(): ToldTree | null {
    if (!this.#knowsAll || !this.asRoot) return null;
    const all = [...this.directories];
    return {
      directories: new Map(
        all.map(([path, attributes]) => [path, { ...attributes, xattrs: null }]),
      ),
      opened: [],
      ...this.rawNames.named(),
      haveXattrs: this.#base.traits.directoryXattrs ||
        all.some(([, { xattrs }]) => xattrs !== null),
      mayGiveAcls: this.#mayGiveAcls || all.some(([, { xattrs }]) => xattrs?.has(DEFAULT_ACL)),
    };
  }

  /** Notes what a directory that was there before us has, so that our work leaves no trace. */
  enter(path: string): void {
    if (!this.#knowsAll && this.#base.traits.fineTimes) this.#readLower();
    const below = this.#directories.below(path);
    if (below === null && this.#directories.has(path)) return;
    const attributes = below ?? readAttributes(this.absolute(path));
    this.newFiles.enter(attributes);
    this.#directories.addLower(path, attributes);
  }

  /** Reads what the layers below have left. Nothing has changed before. */
  #readLower(): void {
    this.#learn(readLowerTree(this.root, {
      rawNames: this.#base.traits.rawNames,
      open: !this.asRoot,
    }));
  }

  /**
   * Notes what the layers below have left; gives their raw names tokens, and an ordinary user every
   * permission on their directories, as those have that are made here. Nothing has changed before.
   */
  #learn(lower: LowerTree): void {
    this.#knowsAll = true;
    for (const [path, attributes] of lower.directories) {
      this.#directories.addBelow(path, attributes);
    }
    if (this.#base.keepsNames === true) return this.rawNames.keep(lower);
    for (const path of lower.opened) this.enter(path);
    for (const path of lower.rawFiles) this.enter(parentOf(path));
    // overlayfs makes mv copy them (EXDEV), by which they inherit a setgid bit.
    for (const path of lower.directories.keys()) if (hasRawName(path)) this.enter(path);
    this.rawNames.adopt(lower);
  }

  #removeDirectory(path: string): void {
    fs.rmSync(this.absolute(path), { recursive: true });
    this.#directories.forget(path);
  }
}

/** The place of `path`, whose parent is named `named`, and is the real directory `parent`. */
function placeIn(parent: string, named: string, path: string): Place {
  const name = nameOf(path);
  return { parent, name, path: parent === named ? path : joinRelative(parent, name) };
}
