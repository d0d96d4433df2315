/**
 * Owners for those who cannot set them.
 *
 * An ordinary user's files are all his own. What owner a layer gives a file is kept in the extended
 * attribute that rootlesscontainers.org defines, which umoci writes and PRoot reads.
 *
 * @module
 */

import type { TarEntryType } from "../core/tar_scanner.ts";
import type { Attributes } from "./attributes.ts";

/** Name of the extended attribute. Only regular files and directories can have `user.*` ones. */
export const ROOTLESS_XATTR = "user.rootlesscontainers";

/**
 * The attributes to write as an ordinary user: `attributes` with its owner, unless that is 0:0
 * (the owner that the user has in his own user namespace), recorded in an xattr, and without the
 * xattrs that he cannot set. What is neither a file nor a directory can have none.
 *
 * @returns the names of those in `dropped`
 */
export function recordOwner(
  attributes: Attributes,
  type: TarEntryType,
): { kept: Attributes; dropped: string[] } {
  const canHave = type === "file" || type === "directory";
  const xattrs = new Map<string, Uint8Array>();
  const dropped: string[] = [];
  for (const [name, value] of attributes.xattrs ?? []) {
    if (name === ROOTLESS_XATTR) continue; // ours to say, not the image's
    if (canHave && name.startsWith("user.")) xattrs.set(name, value);
    else dropped.push(name);
  }
  const { uid, gid } = attributes;
  if (canHave && (uid !== 0 || gid !== 0)) xattrs.set(ROOTLESS_XATTR, encodeOwner(uid, gid));
  return { kept: { ...attributes, xattrs: xattrs.size > 0 ? xattrs : null }, dropped };
}

/**
 * The protobuf message `Resource { uint32 uid = 1; uint32 gid = 2; }` of rootlesscontainers.org.
 * Fields that are 0 are left out, as proto3 does.
 */
export function encodeOwner(uid: number, gid: number): Uint8Array {
  const bytes: number[] = [];
  for (const [field, value] of [[1, uid], [2, gid]] as const) {
    if (value === 0) continue;
    bytes.push(field << 3);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push(rest % 128 | 0x80);
    bytes.push(rest);
  }
  return new Uint8Array(bytes);
}
