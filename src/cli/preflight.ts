/**
 * What a command cannot do without, asked of Deno before the work begins: one message that names
 * all flags, instead of one for each file that the work comes to.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";

/** What making a container takes in any case. Programs are asked for when they are needed. */
const TO_CREATE: readonly (readonly [Deno.PermissionDescriptor, string])[] = [
  [{ name: "read" }, "--allow-read"],
  [{ name: "write" }, "--allow-write"],
  [{ name: "sys", kind: "uid" }, "--allow-sys=uid"],
];

/**
 * Makes sure that a container can be made, as far as Deno's permissions go.
 *
 * @throws {LayerfsError} `permission-missing`, naming every flag to add
 */
export function requireCreatePermissions(): void {
  const flags = TO_CREATE
    .filter(([permission]) => Deno.permissions.querySync(permission).state !== "granted")
    .map(([, flag]) => flag)
    .join(" ");
  if (flags === "") return;
  throw new LayerfsError(
    "permission-missing",
    `Cannot make a container: Deno may not do all that this takes; add ${flags} to its command ` +
      "line (reading and writing without a path, as Deno makes no symbolic link otherwise)",
    { flag: flags },
  );
}
