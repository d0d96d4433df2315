/**
 * What a new file is without being told: whose it is, and whether it has the mode it was made with.
 *
 * Most files of images are root's, and so is what root makes: nothing has to be set then, and tar
 * leaves out two of the six calls that it makes for a small file (measured; over FUSE, four requests
 * of eleven). It is not so where the process has another group, where a directory gives its own on
 * (the setgid bit, inode(7); the mount options grpid and bsdgroups), or a default access control
 * list (acl(5)).
 *
 * @module
 */

import { run } from "../process.ts";
import type { Attributes } from "./attributes.ts";

const SETGID = 0o2000;

/** The extended attribute that is a directory's default access control list, and what tar calls it. */
export const DEFAULT_ACL = "system.posix_acl_default";
const DEFAULT_ACL_RECORD = "SCHILY.acl.default=";

/** What new files in one tree are. */
export class NewFiles {
  /** Whether they are root's, with the mode that was asked for; null where nobody has looked yet. */
  #arePlain: boolean | null;

  /** @param mayBePlain whether this is root, in a place without default access control lists */
  constructor(mayBePlain: boolean) {
    this.#arePlain = mayBePlain ? null : false;
  }

  /** Looks at a directory that was just made, unless it was done before. @param made absolute */
  look(made: string): void {
    if (this.#arePlain !== null) return;
    const { uid, gid, mode } = Deno.lstatSync(made);
    this.#arePlain = uid === 0 && gid === 0 && (mode! & SETGID) === 0;
  }

  /** Notes a directory of the layers below, in which something is about to be made. */
  enter({ gid, mode }: Attributes): void {
    if (gid !== 0 || (mode & SETGID) !== 0) this.#arePlain = false;
  }

  /** Whether a new file belongs to these already, and has its mode. */
  belongTo({ uid = 0, gid = 0 }: { readonly uid?: number; readonly gid?: number }): boolean {
    return this.#arePlain === true && uid === 0 && gid === 0;
  }
}

/**
 * Whether one of some directories may have a default access control list. Deno has no call for
 * that; the archives of tar tell. What it cannot tell may be.
 *
 * @param directories absolute
 * @throws {LayerfsError} as {@linkcode run}
 */
export async function mayHaveDefaultAcl(
  directories: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const how = ["--create", "--acls", "--format=posix", "--no-recursion", "--absolute-names"];
  const { code, stdout, stderr } = await run("tar", [...how, "--file=-", "--", ...directories], {
    signal,
  });
  return code !== 0 || stderr !== "" || stdout.includes(DEFAULT_ACL_RECORD);
}
