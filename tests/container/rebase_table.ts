/**
 * The rules of rebase, each in a directory of its own, so that a few rebases judge them all.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Settlement } from "../../src/container/rebase.ts";
import { removeContainers } from "../../src/container/remove.ts";
import { bash } from "../store/contract_compare.ts";
import { BASE, CASES, type RebaseCase } from "./rebase_cases.ts";
import { type RebaseGround, refusal } from "./rebase_ground.ts";

/** Runs a script of each case in a directory of its own. */
function inEach(cases: readonly RebaseCase[], script: (one: RebaseCase) => string): string {
  return cases.map((one, i) => `(cd case${i}\n${script(one)}\n)`).join("\n");
}

/** `case3: a mode`, for people to read. */
function legend(cases: readonly RebaseCase[]): string {
  return cases.map(({ name }, i) => `case${i}: ${name}`).join("\n");
}

type Row = Readonly<Record<string, string>>;

/** Rows of conflicts by the directory of their case. */
function byCase(rows: readonly Row[]): string[] {
  return rows.map(({ ours, theirs, path }) => `${ours} ${theirs} ${path}`).sort();
}

/** All rules, each in a directory of its own, settled one way. */
async function settled(
  ground: RebaseGround,
  cases: readonly RebaseCase[],
  settlement: Settlement,
): Promise<void> {
  const make = cases.map((_, i) => `mkdir case${i}`).join("\n");
  const base = await ground.tree(`${make}\n${inEach(cases, () => BASE)}`);
  const other = await ground.tree(inEach(cases, ({ theirs }) => theirs), base);
  const target = await ground.image(other);
  const { rootfs, warnings: told } = await ground.create(await ground.image(base), "web");
  await bash(rootfs, inEach(cases, ({ ours }) => ours));
  const before = await ground.read(rootfs);
  const all = cases.flatMap(({ conflicts = [] }, i) => {
    return conflicts.map((row) => row.replace("/", `/case${i}/`));
  }).sort();
  const isBlocked = settlement === "ours" && cases.some(({ whenOurs }) => whenOurs === null);
  if (isBlocked || (settlement === "fail" && all.length > 0)) {
    const error = await refusal(() => ground.rebase("web", target, settlement));
    assertEquals(error.code, isBlocked ? "unsupported" : "conflict");
    const rows = error.data.conflicts ?? [];
    if (!isBlocked) assertEquals(byCase(rows as readonly Row[]), all, legend(cases));
    assertEquals(await ground.differences(rootfs, before), []);
  } else {
    const { conflicts, warnings } = await ground.rebase("web", target, settlement);
    assertEquals(warnings, told); // of an ordinary user's ids
    const rows = conflicts.map(({ path, ours, theirs }) => ({ path, ours, theirs }));
    assertEquals(byCase(rows), all, legend(cases));
    assert(conflicts.every((row) => row.settled === settlement));
    const expected = await ground.tree(
      inEach(cases, ({ whenOurs, whenTheirs }) => {
        return (settlement === "theirs" ? whenTheirs : undefined) ?? whenOurs ?? "";
      }),
      other,
    );
    assertEquals(await ground.differences(rootfs, expected, ["mtime"]), [], legend(cases));
  }
  await removeContainers(ground.work, ["web"], false);
}

/** Settles all rules in each way. */
export async function table(ground: RebaseGround): Promise<void> {
  const blocked = CASES.filter(({ whenOurs }) => whenOurs === null);
  const others = CASES.filter(({ whenOurs }) => whenOurs !== null);
  for (const settlement of ["fail", "theirs"] as const) await settled(ground, CASES, settlement);
  await settled(ground, others, "ours");
  for (const one of blocked) await settled(ground, [one], "ours");
  // Where nothing contradicts, the default does.
  await settled(ground, CASES.filter(({ conflicts }) => conflicts === undefined), "fail");
  await ground.assertClean();
}
