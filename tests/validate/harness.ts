/**
 * Images for the validator tests, each wrong in one way, and what the rows should say of them.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Outcome, type Point, validateImage } from "../../src/validate/validate.ts";
import { type BuiltImage, imageLayout, type ImageSpec, type Json } from "../fixtures/image.ts";
import { dir, file, tarball } from "../fixtures/tar.ts";

/** A layer that nothing is wrong with. */
export const LAYER = tarball([dir("etc"), file("etc/motd", "hello\n")]);

/** Calls `test` with a directory that exists only meanwhile. */
export async function inTempDir(test: (root: string) => Promise<void> | void): Promise<void> {
  const root = Deno.makeTempDirSync();
  try {
    await test(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

/** The rows of a reference, by number. */
export async function rows(reference: string): Promise<ReadonlyMap<number, Point>> {
  const { points } = await validateImage(reference);
  return new Map(points.map((point) => [point.id, point]));
}

/** Descriptors and documents in which a case changes something. */
export function first(document: Json, name: string): Json {
  return (document[name] as Json[])[0] as Json;
}

/** What a case expects of one row. */
export interface Expectation {
  readonly id: number;
  readonly outcome: Outcome;
  /** Part of `where`. */
  readonly where?: string;
  /** Part of `detail`. */
  readonly detail?: string;
}

/** An image and all of its rows that do not pass or skip. */
export interface Case {
  readonly name: string;
  readonly image?: Partial<ImageSpec>;
  readonly after?: (dir: string, image: BuiltImage) => void;
  /** Appended to `oci:DIR`. */
  readonly selector?: (image: BuiltImage) => string;
  /** Rows that warn or fail: no other may. */
  readonly problems?: readonly Expectation[];
  /** Rows that pass or skip, with what they say. */
  readonly others?: readonly Expectation[];
}

/** One test for each case. */
export function testCases(cases: readonly Case[]): void {
  for (const { name, image, after, selector, problems = [], others = [] } of cases) {
    Deno.test(`validate: ${name}`, () =>
      inTempDir(async (root) => {
        const built = imageLayout(`${root}/image`, { layers: [{ tar: LAYER }], ...image });
        after?.(built.dir, built);
        const { points, valid } = await validateImage(
          built.reference + (selector?.(built) ?? ""),
        );
        const found = points.filter(({ outcome }) => outcome === "warn" || outcome === "fail");
        assertEquals(
          found.map(({ id, outcome }) => ({ id, outcome })),
          problems.map(({ id, outcome }) => ({ id, outcome })),
          JSON.stringify(found, null, 1),
        );
        for (const expected of [...problems, ...others]) {
          const row = points[expected.id - 1];
          assertEquals({ id: row?.id, outcome: row?.outcome }, {
            id: expected.id,
            outcome: expected.outcome,
          });
          assertStringIncludes(row?.where ?? "", expected.where ?? "");
          assertStringIncludes(row?.detail ?? "", expected.detail ?? "");
        }
        assertEquals(valid, !problems.some(({ outcome }) => outcome === "fail"));
      }));
  }
}
