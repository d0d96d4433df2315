/**
 * Copies of trees that share the blocks of their files, where the filesystem can.
 *
 * @module
 */

import { firstComplaints, saysFull } from "../../complaints.ts";
import { LayerfsError } from "../../errors.ts";
import { isInterrupted, run, type RunResult } from "../../process.ts";
import { removeTree } from "../remove_tree.ts";

/**
 * Copies the directory `from` to `to`, which is not there yet, with everything that a file can have:
 * owner, mode, times to the nanosecond, extended attributes, devices, links within the tree.
 *
 * @param action such as `Cannot make layer X`: the message of an error begins with it
 * @throws {LayerfsError} `storage-full`, `storage`, `privilege-missing` or `interrupted`; a part of
 * the tree is at `to` then
 */
export async function copyTree(from: string, to: string, action: string): Promise<void> {
  const command = [
    "cp",
    "--archive",
    "--reflink=auto",
    "--sparse=auto",
    "--no-target-directory",
    "--",
    from,
    to,
  ] as const;
  let result = await run(command[0], command.slice(1));
  if (result.code !== 0 && Deno.uid() !== 0 && /Permission denied/.test(result.stderr)) {
    // A file of mode 0111 (sudo has it) its own owner cannot read, but as root of his namespace.
    await removeTree(to);
    result = await run("unshare", ["--map-root-user", "--", ...command]);
  }
  if (result.code !== 0) throw copyError(result, action);
}

function copyError({ code, stderr }: RunResult, action: string): LayerfsError {
  if (isInterrupted(code)) return new LayerfsError("interrupted", `${action}: interrupted`);
  const lines = stderr.split("\n").filter((line) => line !== "");
  const text = firstComplaints(lines) || `cp ended with status ${code}`;
  if (saysFull(text)) {
    const advice = "free some space, or use another --store";
    return new LayerfsError("storage-full", `${action}: ${text}; ${advice}`);
  }
  if (/Operation not permitted|Permission denied/.test(text)) {
    return new LayerfsError("privilege-missing", `${action}: ${text}; run as root`);
  }
  return new LayerfsError("storage", `${action}: ${text}`);
}
