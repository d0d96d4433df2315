/**
 * Pseudo-random stacks of layers, the same for the same seed, and their application in one job or
 * in one job a layer.
 *
 * Paths are strings of one character a byte (latin1), so that names can be any bytes.
 *
 * @module
 */

import { LayerfsError } from "../../src/errors.ts";
import { NeedsLower } from "../../src/layer/apart.ts";
import { treeApart } from "../../src/layer/layer_streams.ts";
import { mergeLayer } from "../../src/layer/merge_layer.ts";
import type { ToldTree } from "../../src/layer/lower_tree.ts";
import { NO_TRAITS, type Traits } from "../../src/layer/traits.ts";
import { Tree } from "../../src/layer/tree.ts";
import { extractNow } from "../fixtures/extract_now.ts";
import { dir, fifo, file, hardlink, latin1, type Options, symlink } from "../fixtures/tar.ts";
import { IS_ROOT } from "../fixtures/tree.ts";
import { scanMembers } from "./told.ts";

/** Members of the archive of each layer, the base first. */
export type Stack = readonly (readonly Uint8Array[])[];

/** What layers have left in a root: traits, and what their tree says of itself. */
interface Below {
  readonly traits: Traits;
  readonly told: ToldTree | null;
}

/**
 * Applies `layers` to `root` in one job.
 *
 * @param top a directory for scratch files
 */
export function applyJob(
  top: string,
  root: string,
  layers: Stack,
  asRoot = IS_ROOT,
): Traits {
  return applyOnTop(top, root, layers, null, asRoot).traits;
}

/** @param base what is in `root`; null for nothing */
function applyOnTop(
  top: string,
  root: string,
  layers: Stack,
  base: Below | null,
  asRoot: boolean,
): Below {
  const scratch = `${top}/scratch`;
  Deno.mkdirSync(scratch, { recursive: true });
  const { traits, told } = base ?? { traits: NO_TRAITS, told: null };
  const below = { traits, told, hasLayers: base !== null, isPlain: true };
  const tree = new Tree(root, scratch, asRoot, extractNow(), below);
  try {
    for (const members of layers) {
      scanMembers(tree, members);
      tree.spool.flush();
    }
    const made = tree.finish();
    if ([...Deno.readDirSync(scratch)].length > 0) throw new Error("scratch files are left");
    return { traits: made, told: tree.told };
  } finally {
    tree.spool.close();
  }
}

/**
 * Applies `layers` to `root`, one job for each.
 *
 * @param tell given what the tree so far says of itself, returns what the next job is told of it
 */
export function applyEach(
  top: string,
  root: string,
  layers: Stack,
  tell: (told: ToldTree | null) => ToldTree | null,
  asRoot = IS_ROOT,
): Traits {
  let base: Below | null = null;
  for (const layer of layers) {
    const { traits, told }: Below = applyOnTop(top, root, [layer], base, asRoot);
    base = { traits, told: tell(told) };
  }
  return base?.traits ?? NO_TRAITS;
}

/**
 * Applies `layers` to `root` in one job, each but the first one apart from those below it, where that
 * can be done.
 *
 * @param onApart is called with the number of each layer with which it could
 */
export function applyApart(
  top: string,
  root: string,
  layers: Stack,
  onApart: (index: number) => void,
  asRoot = IS_ROOT,
): Traits {
  const scratch = `${top}/scratch`;
  Deno.mkdirSync(scratch);
  const tree = new Tree(root, scratch, asRoot, extractNow(), { traits: NO_TRAITS, isPlain: true });
  const mergeApart = (index: number, members: readonly Uint8Array[]) => {
    const place = `${top}/apart-${index}`;
    const apart = treeApart(place, { layer: index, asRoot, isPlain: true }, extractNow());
    try {
      scanMembers(apart, members);
      mergeLayer(tree, apart);
    } finally {
      apart.spool.close();
    }
    for (const entry of Deno.readDirSync(place)) {
      if (entry.name !== "root") throw new Error("scratch files are left");
    }
  };
  try {
    for (const [index, members] of layers.entries()) {
      try {
        if (index === 0) throw new NeedsLower("the base is not apart");
        mergeApart(index, members);
        onApart(index);
      } catch (error) {
        if (!(error instanceof NeedsLower || error instanceof LayerfsError)) throw error;
        scanMembers(tree, members);
      }
    }
    return tree.finish();
  } finally {
    tree.spool.close();
  }
}

/** What a stack may hold. */
interface Flavour {
  raw: boolean;
  fine: boolean;
  xattrs: boolean;
}

const NAMES = ["a", "b", "c", "d", "e"];
/** Not UTF-8 in two ways, and the mark that tokens begin with. */
const RAW_NAMES = ["\xff", "n\xe9", "\xf4\x8f\xbf\xbe"];
const DIRECTORY_MODES = [0o755, 0o700, 0o555, 0o2775, 0o1777, 0o711, 0o311, 0];
const FILE_MODES = [0o644, 0o600, 0o4755, 0o444, 0];

type Kind = "directory" | "file" | "symlink";

/** Makes one stack; what it knows of the tree is near enough for most layers to be valid. */
class Generator {
  #state: number;
  readonly #flavour: Flavour;
  readonly #tree = new Map<string, Kind>([["", "directory"]]);

  constructor(seed: number) {
    this.#state = seed;
    this.#flavour = { raw: this.#chance(0.5), fine: this.#chance(0.5), xattrs: this.#chance(0.5) };
  }

  stack(): Uint8Array[][] {
    return Array.from({ length: 2 + this.#below(5) }, () => {
      const members: Uint8Array[] = [];
      for (let left = this.#below(9); left > 0; left--) members.push(this.#member());
      return members;
    });
  }

  #member(): Uint8Array {
    const dice = this.#below(20);
    if (dice === 0) return dir("./", this.#options(DIRECTORY_MODES, true));
    if (dice < 3) return this.#whiteout();
    if (dice === 3) return this.#opaque();
    const path = this.#path();
    if (dice < 9) {
      if (this.#tree.get(path) !== "directory") this.#put(path, "directory");
      return dir(latin1(path), this.#options(DIRECTORY_MODES, true));
    }
    if (dice < 12) return this.#symlink(path);
    if (dice === 12) {
      const target = this.#some("file");
      if (target !== undefined && !target.startsWith(`${path}/`)) {
        this.#put(path, "file");
        return hardlink(latin1(path), latin1(target));
      }
    }
    this.#put(path, "file");
    if (dice === 13) return fifo(latin1(path), this.#options(FILE_MODES, false));
    return file(latin1(path), `${this.#below(1000)}`, this.#options(FILE_MODES, true));
  }

  #symlink(path: string): Uint8Array {
    this.#put(path, "symlink");
    const inside = this.#some("directory") ?? "";
    const raw = this.#flavour.raw && this.#chance(0.3) ? ["\xfe", "a/\xff"] : [];
    const target = this.#one(["..", ".", "a", "no/where", `/${inside}`, `/${inside}`, ...raw]);
    return symlink(latin1(path), latin1(target), this.#options([0o777], false));
  }

  #whiteout(): Uint8Array {
    const known = [...this.#tree.keys()].filter((path) => path !== "");
    const path = known.length > 0 ? this.#one(known) : "a";
    this.#forget(path);
    const slash = path.lastIndexOf("/") + 1;
    return file(latin1(`${path.slice(0, slash)}.wh.${path.slice(slash)}`));
  }

  #opaque(): Uint8Array {
    const path = this.#some("directory") ?? "";
    for (const other of this.#tree.keys()) {
      if (other !== "" && (path === "" || other.startsWith(`${path}/`))) this.#tree.delete(other);
    }
    return file(latin1(`${path === "" ? "" : `${path}/`}.wh..wh..opq`));
  }

  #options(modes: readonly number[], canHaveXattrs: boolean): Options {
    const pax: Record<string, string> = {};
    const mtime = 1 + this.#below(5);
    if (this.#flavour.fine && this.#chance(0.4)) {
      pax.mtime = this.#one([`${mtime}.123456789`, `-${mtime}.000000001`, `${mtime}.25`]);
    }
    if (this.#flavour.xattrs && canHaveXattrs) {
      for (const name of ["user.a", "user.b", "trusted.c"]) {
        if (this.#chance(0.2)) pax[`SCHILY.xattr.${name}`] = `${this.#below(3)}`;
      }
    }
    const owner = () => this.#one([0, 0, 7, 1000]);
    return { mode: this.#one(modes), uid: owner(), gid: owner(), mtime, pax };
  }

  /** A path in a directory or symlink that there may be, now and then below a missing one. */
  #path(): string {
    const parent = this.#some(this.#chance(0.15) ? "symlink" : "directory") ?? "";
    const names = [...NAMES, ...this.#flavour.raw ? RAW_NAMES : []];
    const name = () => this.#one(names);
    const last = this.#chance(0.1) ? `${name()}/${name()}` : name();
    return parent === "" || parent.split("/").length > 3 ? last : `${parent}/${last}`;
  }

  #put(path: string, kind: Kind): void {
    this.#forget(path);
    this.#tree.set(path, kind);
  }

  #forget(path: string): void {
    for (const other of this.#tree.keys()) {
      if (other === path || other.startsWith(`${path}/`)) this.#tree.delete(other);
    }
  }

  #some(kind: Kind): string | undefined {
    const paths = [...this.#tree].filter(([, other]) => other === kind).map(([path]) => path);
    return paths.length === 0 ? undefined : this.#one(paths);
  }

  #one<T>(values: readonly T[]): T {
    return values[this.#below(values.length)] as T;
  }

  #chance(probability: number): boolean {
    return this.#below(1000) < probability * 1000;
  }

  /** A number from 0 to `limit` - 1: mulberry32. */
  #below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }
}

/** The stack of a seed: 2 to 6 layers. */
export function randomStack(seed: number): Stack {
  return new Generator(seed).stack();
}
