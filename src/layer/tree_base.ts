/**
 * What is in a root filesystem before a tree is made there.
 *
 * @module
 */

import type { ToldTree } from "./lower_tree.ts";
import { NO_TRAITS, type Traits } from "./traits.ts";

/** What a tree holds before we begin. */
export interface Base {
  readonly traits: Traits;
  /** Whether layers have been applied to it. Where it is absent, whether there is anything in it. */
  readonly hasLayers?: boolean | undefined;
  /**
   * Whether it holds nothing because a layer is to be unpacked apart from those below it. What needs
   * those throws {@linkcode NeedsLower}.
   */
  readonly isApart?: boolean;
  /** The number of the first layer that is applied to it, from 0. */
  readonly layer?: number;
  /**
   * What a tree of which this one is an unchanged copy has said of itself; so it need not be read.
   * Layers are there then.
   */
  readonly told?: ToldTree | null;
  /** Whether nothing is done to what was told of but in directories that bear their real names. */
  readonly keepsNames?: boolean;
  /** Whether no directory gives what is made in it a default access control list. */
  readonly isPlain?: boolean;
  /** Whether {@linkcode Tree.told} will be asked for, which takes that all directories are known. */
  readonly tells?: boolean;
}

/** Layers that have nothing of {@linkcode Traits}, if there are any. */
export const PLAIN_BASE: Base = { traits: NO_TRAITS };
