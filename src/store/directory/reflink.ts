/**
 * Whether files can share their blocks, which makes a copy of a tree cheap: on btrfs, xfs, bcachefs
 * and newer OpenZFS.
 *
 * @module
 */

import { LayerfsError } from "../../errors.ts";
import { isInterrupted, run } from "../../process.ts";
import { storageError } from "../../system_error.ts";

/** A whole block: filesystems keep smaller files elsewhere, and need not share those. */
const PROBE_BYTES = 4096;

/**
 * Tries it in `directory`, which exists, and leaves nothing there.
 *
 * @throws {LayerfsError} `storage-full`, `storage` or `privilege-missing` where no file can be made
 */
export async function canReflink(directory: string): Promise<boolean> {
  const probe = `${directory}/.reflink-${crypto.randomUUID()}`;
  try {
    Deno.mkdirSync(probe, { mode: 0o700 });
    try {
      Deno.writeFileSync(`${probe}/from`, new Uint8Array(PROBE_BYTES));
      const args = ["--reflink=always", "--", `${probe}/from`, `${probe}/to`];
      const { code } = await run("cp", args);
      if (!isInterrupted(code)) return code === 0;
      throw new LayerfsError("interrupted", `Cannot probe "${directory}": interrupted`);
    } finally {
      Deno.removeSync(probe, { recursive: true });
    }
  } catch (error) {
    throw storageError(error, `Cannot probe "${directory}" for shared blocks`);
  }
}
