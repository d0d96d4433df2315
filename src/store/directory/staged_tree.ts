/**
 * A layer in the making, as a tree of its own.
 *
 * @module
 */

import { check, run } from "../../process.ts";
import { storageError } from "../../system_error.ts";
import type { StagedLayer } from "../driver.ts";
import type { LayerDirectory } from "../layer_files.ts";
import type { LayerRecord } from "../layer_record.ts";
import { removeTree } from "../remove_tree.ts";
import { copyTree } from "./copy_tree.ts";

/** Name of the tree in a layer's directory. */
export const TREE = "tree";

/** Name of what becomes the layer's directory, in the staging directory. */
const LAYER = "layer";

/** Name of the file whose time tells what the layer brings from what was copied. */
const MARKER = "marker";

/** Bytes of the blocks that stat(2) counts, whatever the filesystem's own are. */
const STAT_BLOCK = 512;

/** A layer in the making, until it is committed or disposed of. */
export class StagedTree implements StagedLayer {
  readonly root: string;
  readonly #staging: string;
  readonly #layers: LayerDirectory;

  private constructor(staging: string, layers: LayerDirectory) {
    this.#staging = staging;
    this.#layers = layers;
    this.root = `${staging}/${LAYER}/${TREE}`;
  }

  /**
   * Begins one.
   *
   * @param staging absolute path of the staging directory
   * @param below the tree of the layers below; null where there are none
   * @param action begins the message of an error
   */
  static async create(
    staging: string,
    below: string | null,
    layers: LayerDirectory,
    action: string,
  ): Promise<StagedTree> {
    const staged = new StagedTree(staging, layers);
    try {
      Deno.mkdirSync(`${staging}/${LAYER}`, { mode: 0o700 });
      try {
        if (below === null) Deno.mkdirSync(staged.root, { mode: 0o755 });
        else await copyTree(below, staged.root, action);
        Deno.writeTextFileSync(`${staging}/${MARKER}`, "", { mode: 0o600 });
      } catch (error) {
        await staged[Symbol.asyncDispose]();
        throw error;
      }
      return staged;
    } catch (error) {
      throw storageError(error, action);
    }
  }

  async commit(record: LayerRecord): Promise<void> {
    const directory = `${this.#staging}/${LAYER}`;
    await this.#layers.commit(directory, record, () => this.#addedBytes(record));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(`${this.#staging}/${LAYER}`);
    await removeTree(`${this.#staging}/${MARKER}`);
  }

  /**
   * Bytes of all files that were made or changed after the tree below was copied: their change time
   * tells. No program could tell by their blocks, as copies share theirs. It is a little too much
   * where a layer but links or chmods a file of a lower one, which is counted whole then.
   */
  async #addedBytes({ chainId }: LayerRecord): Promise<number> {
    const args = [this.root, "-cnewer", `${this.#staging}/${MARKER}`, "-printf", "%D:%i %b\\n"];
    const result = await run("find", args);
    // find says with status 1 that it could not read a directory (an ordinary user's), and goes on.
    const { stdout } = result.code === 1
      ? result
      : check(result, `Cannot measure layer ${chainId}`, "storage");
    const blocks = new Map<string, number>(); // by inode: one has many names
    for (const line of stdout.split("\n")) {
      const [inode, count] = line.split(" ");
      if (inode !== undefined && count !== undefined) blocks.set(inode, Number(count));
    }
    return blocks.values().reduce((sum, count) => sum + count, 0) * STAT_BLOCK;
  }
}
