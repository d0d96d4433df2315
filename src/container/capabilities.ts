/**
 * Linux capabilities of a container's first process (capabilities(7)).
 *
 * @example
 * ```ts
 * import { capabilitySets } from "./capabilities.ts";
 *
 * const sets = capabilitySets(0, ["NET_ADMIN"], ["ALL"]);
 * console.assert(sets.bounding.join() === "CAP_NET_ADMIN");
 * ```
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { nearestOf, suggestion } from "../nearest.ts";
import type { RuntimeCapabilities } from "../oci/runtime_spec.ts";

/** Every capability, in the kernel's order (include/uapi/linux/capability.h). */
const ALL = [
  ..."CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP".split(" "),
  ..."LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK".split(" "),
  ..."IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN".split(" "),
  ..."SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE".split(" "),
  ..."AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM".split(" "),
  ..."BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE".split(" "),
].map((name) => `CAP_${name}`);

/**
 * What a process gets that asks for nothing: podman's set, which is docker's without AUDIT_WRITE,
 * MKNOD and NET_RAW. The three of `runc spec` would not do: images start as root, make their files
 * (CHOWN, DAC_OVERRIDE, FOWNER, FSETID) and then step down (SETUID, SETGID).
 */
const DEFAULT: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_NET_BIND_SERVICE",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

/**
 * The capability sets of a process.
 *
 * Root has the whole set. Any other user has what was added by name only, made ambient, so that it
 * outlives execve(2); the rest bounds what a program with file capabilities may get. Nothing is
 * inheritable that is not ambient (CVE-2022-24769).
 *
 * @param add names with or without `CAP_`, in any case, or `ALL`
 * @param drop likewise; `ALL` leaves what is added
 * @throws {LayerfsError} `usage` for an unknown name, or one that is added and dropped
 */
export function capabilitySets(
  uid: number,
  add: readonly string[],
  drop: readonly string[],
): RuntimeCapabilities {
  const added = add.map((name) => capabilityName(name, "cap-add"));
  const dropped = drop.map((name) => capabilityName(name, "cap-drop"));
  const both = added.find((name) => dropped.includes(name));
  if (both !== undefined) {
    throw new LayerfsError(
      "usage",
      `Cannot use --cap-add "${both}": --cap-drop names it, too; give one of them`,
      { option: "cap-add" },
    );
  }
  const base = dropped.includes("ALL") ? [] : added.includes("ALL") ? ALL : DEFAULT;
  const chosen = new Set([...base, ...added].filter((name) => !dropped.includes(name)));
  const bounding = ALL.filter((name) => chosen.has(name));
  if (uid === 0) {
    return { bounding, effective: bounding, permitted: bounding, inheritable: [], ambient: [] };
  }
  const named = ALL.filter((name) => added.includes(name));
  return { bounding, effective: named, permitted: named, inheritable: named, ambient: named };
}

/** `ALL`, or a name as config.json has it. @throws {LayerfsError} `usage` for one that is unknown */
export function capabilityName(name: string, option: string): string {
  const upper = name.toUpperCase();
  if (upper === "ALL") return upper;
  const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (ALL.includes(full)) return full;
  const hint = suggestion(nearestOf(full, ALL));
  throw new LayerfsError(
    "usage",
    `Cannot use --${option} "${name}": there is no such capability${hint}`,
    { option },
  );
}
