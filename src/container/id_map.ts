/**
 * The ids of containers that ordinary users run: a user namespace in which the user's own id is
 * root, and the subordinate ids that /etc/subuid and /etc/subgid grant follow from 1 on
 * (user_namespaces(7), subuid(5)).
 *
 * @example
 * ```ts
 * import { mapIds, parseSubordinateIds } from "./id_map.ts";
 *
 * const ranges = parseSubordinateIds("me:100000:65536\n", ["me", "1000"]);
 * const [own, others] = mapIds(1000, ranges);
 * console.assert(own?.hostID === 1000 && others?.hostID === 100000);
 * ```
 *
 * @module
 */

import { nodeOs } from "../node.ts";
import type { RuntimeIdMapping } from "../oci/runtime_spec.ts";
import { errnoName, storageError } from "../system_error.ts";

/** The mappings of a rootless container, as they stand in config.json. */
export interface IdMaps {
  /** Of users; the current one is 0. */
  readonly uid: readonly RuntimeIdMapping[];
  /** Of groups; the current user's is 0. */
  readonly gid: readonly RuntimeIdMapping[];
}

/** Ids of the host that a user may use besides its own: `count` of them from `start` on. */
export interface IdRange {
  /** The first. */
  readonly start: number;
  /** How many, at least 1. */
  readonly count: number;
}

/** Where subordinate ids are granted. */
const SUBUID = "/etc/subuid";
const SUBGID = "/etc/subgid";

/**
 * Reads the ranges of one user out of /etc/subuid or /etc/subgid, whose lines are
 * `USER:START:COUNT`, the user by name or by number.
 *
 * @param owners the user's name and its number as text
 * @returns in the file's order; lines that are not of that form grant nothing
 */
export function parseSubordinateIds(text: string, owners: readonly string[]): IdRange[] {
  return text.split("\n").flatMap((line) => {
    const match = /^([^:#]+):(\d+):(\d+)\s*$/.exec(line);
    if (match === null || !owners.includes(match[1] ?? "")) return [];
    const [start, count] = [Number(match[2]), Number(match[3])];
    // The ids end at 2^32-2: 2^32-1 is no id (credentials(7)).
    return count > 0 && start + count <= 2 ** 32 - 1 ? [{ start, count }] : [];
  });
}

/**
 * Maps `own` to 0 and the ranges to what follows. The kernel takes no host id twice, so a range that
 * has one of an earlier mapping is left out.
 */
export function mapIds(own: number, ranges: readonly IdRange[]): RuntimeIdMapping[] {
  const maps: RuntimeIdMapping[] = [{ containerID: 0, hostID: own, size: 1 }];
  let next = 1;
  for (const { start, count } of ranges) {
    const taken = maps.some((map) => start < map.hostID + map.size && map.hostID < start + count);
    if (taken) continue;
    maps.push({ containerID: next, hostID: start, size: count });
    next += count;
  }
  return maps;
}

/** Whether `id` of the container is an id of the host, too. */
export function isMapped(maps: readonly RuntimeIdMapping[], id: number): boolean {
  return maps.some(({ containerID, size }) => id >= containerID && id < containerID + size);
}

/**
 * The mappings for the current user. Where nothing is granted, only its own id is mapped, as
 * `runc spec --rootless` does: whoever grants ids must do so for users and groups both.
 *
 * @returns and warnings for people to read
 */
export function currentIdMaps(): { maps: IdMaps; warnings: string[] } {
  const [uid, gid] = [Deno.uid() ?? 0, Deno.gid() ?? 0];
  const name = userName();
  const owners = name === null ? [`${uid}`] : [name, `${uid}`];
  const uids = mapIds(uid, parseSubordinateIds(readGrants(SUBUID), owners));
  const gids = mapIds(gid, parseSubordinateIds(readGrants(SUBGID), owners));
  if (uids.length > 1 && gids.length > 1) return { maps: { uid: uids, gid: gids }, warnings: [] };
  const who = name ?? uid;
  const grant = `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${who}`;
  return {
    maps: { uid: uids.slice(0, 1), gid: gids.slice(0, 1) },
    warnings: [
      `Only user 0 and group 0 exist in the container: ${SUBUID} and ${SUBGID} grant user "${who}" ` +
      `no ids; root can with: ${grant}`,
    ],
  };
}

/** The current user's name; null where the host knows none. */
function userName(): string | null {
  try {
    return nodeOs().userInfo().username;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return null;
  }
}

/** The text of a file of grants; "" where there is none. */
function readGrants(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return "";
    throw storageError(error, `Cannot read "${path}"`);
  }
}
