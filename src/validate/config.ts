/**
 * Points 43, 44 and 46 to 49: the config.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { parseConfig } from "../oci/config.ts";
import { dateTimeProblem } from "../oci/date_time.ts";
import type { Digest } from "../oci/digest.ts";
import { isObject } from "../oci/fields.ts";
import { checkDigest } from "./descriptor.ts";
import {
  checkAnnotations,
  elementsOf,
  isAbsent,
  memberOf,
  type Part,
  placeOf,
  shown,
} from "./json.ts";
import { type Report, stateOf } from "./report.ts";

/** What the specification names, at the top and in `config`. */
const MEMBERS: ReadonlySet<string> = new Set(
  "created author architecture os os.version os.features variant config rootfs history".split(" "),
);
const RUN_MEMBERS: ReadonlySet<string> = new Set(
  ("User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal ArgsEscaped Memory " +
    "MemorySwap CpuShares Healthcheck").split(" "),
);

/**
 * Checks a config.
 *
 * @param layers layers of the manifest
 * @returns its diffIDs, null for those that are malformed
 */
export function checkConfig(
  report: Report,
  part: Part,
  bytes: Uint8Array,
  layers: number,
): readonly (Digest | null)[] {
  const before = report.failures;
  checkPlatform(report, part);
  checkDates(report, part);
  countMembers(report, part);
  checkAnnotations(report, memberOf(part, "config"), "Labels");
  const diffIds = checkRootfs(report, memberOf(part, "rootfs"));
  checkCounts(report, part, diffIds, layers);
  if (report.failures === before) checkTypes(report, part, bytes);
  return diffIds ?? [];
}

function checkPlatform(report: Report, part: Part): void {
  for (const name of ["architecture", "os"]) {
    report.looked(43, "members");
    const member = memberOf(part, name);
    if (typeof member.value === "string" && member.value !== "") continue;
    report.broken(43, placeOf(member), `${shown(member)} is not the name of a platform`);
  }
}

/** Points 13 to 17 and 44; null where there is no array of diffIDs. */
function checkRootfs(report: Report, rootfs: Part): readonly (Digest | null)[] | null {
  const type = memberOf(rootfs, "type");
  report.looked(44, "configs");
  if (type.value !== "layers") {
    report.broken(44, placeOf(type), `${shown(type)} is not "layers"`);
  }
  const diffIds = memberOf(rootfs, "diff_ids");
  if (!Array.isArray(diffIds.value)) {
    report.broken(45, placeOf(diffIds), `${shown(diffIds)} is not an array`);
    return null;
  }
  return elementsOf(diffIds).map((diffId) => checkDigest(report, diffId));
}

/** Point 46. */
function checkCounts(
  report: Report,
  part: Part,
  diffIds: readonly unknown[] | null,
  layers: number,
): void {
  report.looked(46, "configs");
  if (diffIds !== null && diffIds.length !== layers) {
    const place = `${part.document} rootfs.diff_ids`;
    report.broken(46, place, `there are ${diffIds.length} diffIDs and ${layers} layers`);
  }
  const history = memberOf(part, "history");
  const steps = elementsOf(history);
  if (steps.length === 0) return;
  const made = steps.filter((step) => memberOf(step, "empty_layer").value !== true).length;
  if (made === layers) return;
  report.broken(46, placeOf(history), `it tells of ${made} layers, there are ${layers}`);
}

/** Point 47. */
function checkDates(report: Report, part: Part): void {
  for (const owner of [part, ...elementsOf(memberOf(part, "history"))]) {
    const created = memberOf(owner, "created");
    if (isAbsent(created)) continue;
    report.looked(47, "dates");
    const expected = dateTimeProblem(created.value);
    if (expected === null) continue;
    report.broken(47, placeOf(created), `${shown(created)} is not ${expected}`);
  }
}

/** Points 48 and 49, what there is to count. */
function countMembers(report: Report, part: Part): void {
  const sets = [[part, MEMBERS], [memberOf(part, "config"), RUN_MEMBERS]] as const;
  for (const [{ value }, known] of sets) {
    if (!isObject(value)) continue;
    const names = Object.keys(value);
    const more = names.filter((name) => !known.has(name)).length;
    if (more > 0) report.looked(48, "additional members", more);
    report.looked(49, "members", names.length);
  }
}

/** Point 49: whatever the parser of `layerfs create` refuses. */
function checkTypes(report: Report, part: Part, bytes: Uint8Array): void {
  try {
    parseConfig(bytes);
  } catch (error) {
    const path = error instanceof LayerfsError ? error.data.path : undefined;
    // Without a path it is the JSON, which point 60 tells of.
    if (path === undefined) stateOf(error);
    else report.broken(49, `${part.document} ${path}`, stateOf(error));
  }
}
