/**
 * What of the host a container is to see, and whether the host has it.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { exists } from "../files.ts";
import { storageError } from "../system_error.ts";
import type { Volume } from "./overrides.ts";

/**
 * The volume, if it exists as far as we may look; else the runtime will tell.
 *
 * @throws {LayerfsError} `not-found`
 */
export function existingVolume(volume: Volume): Volume {
  const { source, destination } = volume;
  if (existence(source) !== "missing") return volume;
  throw new LayerfsError(
    "not-found",
    `Cannot use volume "${source}:${destination}": there is no "${source}" on the host`,
    { source },
  );
}

/** Whether the host has `path`; "unknown" where Deno may not look, which is no reason to stop. */
export function existence(path: string): "there" | "missing" | "unknown" {
  // Asked for first, because Deno prompts at a terminal.
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return "unknown";
  try {
    return exists(path) ? "there" : "missing";
  } catch (error) {
    // /proc, /sys and /dev need --allow-all, whatever the query says (Deno 2.9).
    if (error instanceof Deno.errors.NotCapable) return "unknown";
    throw storageError(error, `Cannot look up "${path}"`);
  }
}
