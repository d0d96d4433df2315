/**
 * The contract of drivers: many layers are what a plain directory is, at every step.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import {
  block,
  character,
  dir,
  fifo,
  file,
  hardlink,
  latin1,
  opaque,
  symlink,
  whiteout,
} from "../fixtures/tar.ts";
import { glanceDifferences, treeDifferences } from "./contract_compare.ts";
import { type ContractTest, Flat, type Ground, stackHeight } from "./contract_ground.ts";

/** Steps between two comparisons of everything, content and extended attributes included. */
const FULL_EVERY = 25;

/** A content of a length and a text that those of the steps around do not have. */
function text(n: number): string {
  return `${n} ${"x".repeat(n % 89)}`;
}

/** Every kind of change, each in a directory of its own. They come with any number in any order. */
const KINDS: readonly ((n: number) => Uint8Array[])[] = [
  (n) => [file(`add/${n}`, text(n))],
  (n) => [file("modify/same", text(n), { mode: 0o600 + n % 64, uid: n, gid: n + 1 })],
  (n) =>
    n % 2 === 0 ? [whiteout("delete/f"), whiteout("delete/never")] : [file("delete/f", text(n))],
  (n) =>
    [
      [file("replace/x", text(n))],
      [dir("replace/x"), file("replace/x/f", text(n)), dir("replace/x/d")],
      [symlink("replace/x", `nowhere-${n}`)],
      [fifo("replace/x", { mode: 0o600 })],
    ][n % 4] ?? [],
  (n) => [opaque("opaque"), file(`opaque/${n}`, text(n)), dir("opaque/d")],
  (n) =>
    n % 2 === 0
      ? [whiteout("remade")]
      : [dir("remade"), dir("remade/sub"), file(`remade/sub/${n}`, text(n))],
  (n) => [symlink("way", `ways/${n % 3}`), file(`way/${n % 5}`, text(n))],
  (n) => [whiteout(`way/${n % 5}`), file("way/last", text(n))],
  (n) => [
    file(`xattrs/f${n % 3}`, text(n), n % 2 ? { pax: { "SCHILY.xattr.user.n": `${n}` } } : {}),
    dir(`xattrs/d${n % 3}`, {
      pax: { [`SCHILY.xattr.user.n${n % 4}`]: `${n}`, "SCHILY.xattr.trusted.n": `${n}` },
    }),
  ],
  (n) => [
    character(`special/c${n % 2}`, 1, n % 200 + 1),
    block(`special/b${n % 2}`, 7, n),
    fifo(`special/p${n % 3}`, { mtime: n }),
  ],
  (n) => [
    file(`times/f${n % 3}`, text(n), { pax: { mtime: `${n}.123456789` } }),
    dir(`times/d${n % 3}`, { pax: { mtime: `${1_600_000_000 + n}.987654321` } }),
    symlink("times/l", `${n}`, { pax: { mtime: `${n}.5` } }),
  ],
  (n) => [
    dir("modes/d", { mode: 0o700 + n % 64, uid: n, mtime: n }),
    file("modes/f", text(n), { mode: 0o4755 + n % 3 * 0o1000 }),
  ],
  (n) => [file(`times/d${n % 3}/child`, text(n)), file(`xattrs/d${n % 3}/child`, text(n))],
  (n) =>
    n % 2 === 0
      ? [hardlink(`links/l${n % 6}`, "links/a")]
      : [file("links/a", text(n)), hardlink("links/b", "links/a")],
  (n) => [
    file(latin1(`names/\xff${n % 4}`), text(n)),
    file(latin1(`names/\xfe/f${n % 3}`), text(n)),
    file(`names/ünï${n % 4}`, text(n)),
  ],
  (n) => [
    file(latin1(`names/.wh.\xff${n % 4}`)),
    symlink(latin1(`names/\xfe/link`), latin1(`\xfd${n}`)),
  ],
  (n) => [whiteout(`moved/${n % 2}`), dir(`moved/${(n + 1) % 2}`), file(`moved/${(n + 1) % 2}/f`)],
];

/** What the changes are changes of. */
const BASE = [
  dir("./"),
  ...["add", "modify", "delete", "replace", "opaque", "remade", "xattrs", "special", "times"]
    .map((name) => dir(name)),
  ...["modes", "links", "names", "moved", "ways", "ways/0", "ways/1", "ways/2"]
    .map((name) => dir(name)),
  symlink("way", "ways/0"),
  file("links/a", "a"),
  file("opaque/lower", "lower"),
  file("delete/f", "f"),
];

/** The layer of a step: three kinds of changes, now and then none. The same in every run. */
function membersOf(step: number): Uint8Array[] {
  if (step === 0) return BASE;
  if (step % 17 === 0) return [];
  const scattered = Math.imul(step, 2_654_435_761) >>> 8;
  const kinds = [step, scattered, scattered >>> 8].map((n) => n % KINDS.length);
  return [...new Set(kinds)].flatMap((kind) => KINDS[kind]?.(step) ?? []);
}

async function manyLayers(ground: Ground): Promise<void> {
  const flat = new Flat(ground);
  const exactness = {
    digits: await ground.precision(),
    links: ground.options.keepsLowerHardlinks,
  };
  const height = stackHeight(ground.options);
  let top: LayerRecord | null = null;
  for (let step = 0; step < height; step++) {
    const members = membersOf(step);
    [top] = await Promise.all([ground.layer(members, top), flat.apply(members)]);
    const isFull = step % FULL_EVERY === FULL_EVERY - 1 || step === height - 1;
    const compare = isFull ? treeDifferences : glanceDifferences;
    const found = await ground.see(top, (root) => compare(root, flat.root, exactness));
    assertEquals(found.slice(0, 20), [], `layer ${step + 1}`);
  }
  const container = await ground.container("one", top);
  assertEquals(await treeDifferences(container.rootfs, flat.root, exactness), []);
  assertEquals((await ground.driver.listLayers()).length, height);
}

/** Tests of stacks. */
export const STACK_TESTS: readonly ContractTest[] = [
  {
    name: "each of many layers equals a plain directory",
    needs: "keepsLayers",
    run: manyLayers,
  },
];
