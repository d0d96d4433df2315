/**
 * Which registry the words of a command line name.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { parseReference } from "../oci/reference.ts";

/**
 * The registry that an operand names, such as "docker.io" or "localhost:5000".
 *
 * @throws {LayerfsError} `usage`
 */
export function registryHost(typed: string): string {
  const host = hostOrNull(typed);
  if (host === typed || (host !== null && typed === "index.docker.io")) return host;
  throw new LayerfsError(
    "usage",
    `Cannot use "${typed}" as a registry: it is not HOST or HOST:PORT, such as docker.io`,
    { registry: typed },
  );
}

/**
 * The registry that a reference of an image names or, being a bare name, implies; null where it is
 * a path.
 *
 * @throws {LayerfsError} `usage`
 */
export function imageHost(typed: string): string | null {
  const reference = parseReference(typed);
  return "host" in reference ? reference.host : null;
}

function hostOrNull(typed: string): string | null {
  try {
    return imageHost(`docker://${typed}/x`);
  } catch (error) {
    // It speaks of a reference that nobody has typed.
    if (error instanceof LayerfsError) return null;
    throw error;
  }
}
