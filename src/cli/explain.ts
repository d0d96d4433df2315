/**
 * Whatever was thrown, as an error that a user can act upon.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { errnoName, storageError } from "../system_error.ts";

/** Errno names whose meaning is the same wherever they come from. */
const STORAGE_ERRORS: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO"]);

/** Errno names of a refusal by the system. */
const REFUSALS: ReadonlySet<string> = new Set(["EACCES", "EPERM"]);

/** What Deno says of a permission that it was not given. */
const DENIED = /Requires \w+ access( to .*)?, run again with the --allow-\w+ flag/;

/**
 * Turns an error into a LayerfsError: one of ours stays, a denied Deno permission becomes
 * `permission-missing` with the flag to add, a full disk `storage-full`, a refusal by the system
 * `privilege-missing`, an abort `interrupted`. Anything else is a fault of layerfs: `unexpected`.
 *
 * @param action what was being done, such as `Cannot finish create`
 */
export function explain(error: unknown, action: string): LayerfsError {
  // Of an error, and one of the cleaning up after it, the first is the one that matters.
  while (error instanceof SuppressedError) error = error.suppressed;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const known = knownError(cause, action);
    if (known !== undefined) return known;
  }
  const text = error instanceof Error ? error.message : String(error);
  return new LayerfsError(
    "unexpected",
    `${action}: ${text}; this is a fault of layerfs, please report it with the command line and ` +
      "what --log-level debug prints",
    {},
    { cause: error },
  );
}

/** What a single error, its causes aside, means; undefined if nothing is known of it. */
function knownError(error: Error, action: string): LayerfsError | undefined {
  if (error instanceof LayerfsError) return error;
  // A worker passes on the words of an error, without its class.
  if (error instanceof Deno.errors.NotCapable || DENIED.test(error.message)) {
    return permissionMissing(error, action);
  }
  if (error.name === "AbortError" || error.name === "Interrupted") {
    return new LayerfsError("interrupted", `${action}: interrupted`, {}, { cause: error });
  }
  const errno = errnoName(error);
  if (STORAGE_ERRORS.has(errno)) return storageError(error, action) as LayerfsError;
  if (REFUSALS.has(errno)) {
    const detail = `${error.message}; run as root, or use files and a --store that you own`;
    return new LayerfsError("privilege-missing", `${action}: ${detail}`, {}, { cause: error });
  }
  return undefined;
}

/** Error for a permission that Deno was not started with. */
function permissionMissing(error: Error, action: string): LayerfsError {
  const message = DENIED.exec(error.message)?.[0] ?? error.message;
  const flag = missingFlag(message);
  return new LayerfsError(
    "permission-missing",
    `${action}: Deno may not do this (${message.split(", run again", 1)[0]}); ` +
      `add ${flag} to its command line`,
    { flag },
    { cause: error },
  );
}

/**
 * The flag that a message of Deno asks for, as exact as the message is. Its wordings (2.9.6):
 *
 *     Requires read access to "/x", run again with the --allow-read flag
 *     Requires write access to <TMP>, run again with the --allow-write flag
 *     Requires env access, run again with the --allow-env flag
 *     Deno.symlinkSync() requires unscoped --allow-read and --allow-write permissions; …
 *
 * In a binary of `deno compile` the second half differs, but names the flag as well.
 */
export function missingFlag(message: string): string {
  if (message.includes("unscoped")) return "--allow-read --allow-write";
  const flag = /--allow-[a-z]+/.exec(message)?.[0] ?? "--allow-all";
  const subject = /^Requires \w+ access to "(.*)"[,;]/.exec(message)?.[1];
  // A comma separates values and cannot be escaped: such a path is out of reach of a narrow flag.
  if (subject === undefined || subject.includes(",")) return flag;
  return /^[\w@%+=:./-]+$/.test(subject)
    ? `${flag}=${subject}`
    : `'${flag}=${subject.replaceAll("'", "'\\''")}'`;
}
