import { assert, assertInstanceOf } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { parseConfig } from "../../src/oci/config.ts";
import { parseIndex } from "../../src/oci/image_index.ts";
import { parseManifest } from "../../src/oci/manifest.ts";
import { validateImage } from "../../src/validate/validate.ts";
import { imageLayout, type Json, type LayerSpec } from "../fixtures/image.ts";
import { inTempDir, LAYER } from "./harness.ts";

/** Values of every kind, put in the place of right ones. */
const JUNK: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  1e300,
  "",
  "\u0000\u001b[2J",
  "sha256:",
  "sha256:" + "A".repeat(64),
  "../../../etc/passwd",
  [],
  [null],
  [[[[]]]],
  {},
  { "": "" },
  { toString: null, constructor: 1 },
];

/** Every place in a JSON value, as something that replaces what is there. */
function places(value: unknown, replace: (junk: unknown) => void): ((junk: unknown) => void)[] {
  if (typeof value !== "object" || value === null) return [replace];
  const members = value as Json;
  const inner = Object.keys(members).flatMap((name) =>
    places(members[name], (junk) => {
      members[name] = junk;
    })
  );
  return [replace, ...inner];
}

/** The text of a document with the junk in the place that is `place` in order; null past the last. */
function spoil(json: string, place: number, junk: unknown): string | null {
  const box: Json = { value: JSON.parse(json) };
  const all = places(box.value, (value) => {
    box.value = value;
  });
  const put = all[place];
  if (put === undefined) return null;
  put(junk);
  return JSON.stringify(box.value);
}

const layers: readonly LayerSpec[] = [{
  tar: LAYER,
  compression: "gzip",
  descriptor: { urls: ["https://a"], annotations: { a: "b" }, data: "e30=" },
}];

/** An image with every member that the validator looks at. */
const members = {
  run: {
    Env: ["A=b"],
    Labels: { a: "b" },
    Volumes: { "/a": {} },
    Healthcheck: { Test: ["NONE"], Interval: 1 },
  },
  manifest: (manifest: Json): void => {
    manifest.annotations = { a: "b" };
    manifest.subject = { mediaType: "a/b", digest: "md5:0", size: 1, platform: { os: "a" } };
  },
};

for (const name of ["rawIndex", "rawManifest", "rawConfig", "rawLayout"] as const) {
  Deno.test(`junk anywhere in ${name.slice(3).toLowerCase()} is told, never a crash`, () =>
    inTempDir(async (root) => {
      let cases = 0;
      for (let place = 0, done = false; !done; place++) {
        // Each place gets three kinds of junk, all kinds are used in turn.
        for (let kind = 0; kind < 3 && !done; kind++) {
          const dir = `${root}/${cases++}`;
          const { reference } = imageLayout(dir, {
            layers,
            ...members,
            [name]: (json: string) => {
              const junk = JUNK[(place * 3 + kind) % JUNK.length];
              const spoilt = spoil(json, place, junk);
              done = spoilt === null;
              return spoilt ?? json;
            },
          });
          const { points } = await validateImage(reference);
          assert(points.length === 62);
          Deno.removeSync(dir, { recursive: true });
        }
      }
      assert(cases > 4);
    }));
}

Deno.test("parsers throw nothing but errors of layerfs", () =>
  inTempDir((root) => {
    const documents: string[] = [];
    const keep = (json: string): string => {
      documents.push(json);
      return json;
    };
    imageLayout(`${root}/image`, {
      layers,
      ...members,
      rawIndex: keep,
      rawManifest: keep,
      rawConfig: keep,
    });
    let refused = 0;
    for (const json of documents) {
      for (let place = 0; spoil(json, place, null) !== null; place++) {
        for (const junk of JUNK) {
          const bytes = new TextEncoder().encode(spoil(json, place, junk) ?? "");
          for (const parse of [parseConfig, parseIndex, parseManifest]) {
            try {
              parse(bytes);
            } catch (error) {
              assertInstanceOf(error, LayerfsError);
              refused++;
            }
          }
        }
      }
    }
    assert(refused > 1000);
  }));
