/** Documents that are not JSON, or JSON that two programs could read in two ways. */

import type { ImageSpec } from "../fixtures/image.ts";
import { concat, tarball } from "../fixtures/tar.ts";
import { GOOD_LAYER, rejects } from "./harness.ts";

/** Registers a test: the image with these changes is refused. */
function refused(name: string, spec: Partial<ImageSpec>, says: readonly string[]): void {
  rejects(name, { layers: [{ tar: tarball(GOOD_LAYER) }], ...spec }, {
    code: "image-invalid",
    says,
  });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const ALL_RAW = ["rawManifest", "rawIndex", "rawConfig", "rawLayout"] as const;
const WAYS: readonly (readonly [string, (json: string) => string | Uint8Array])[] = [
  ["is empty", () => ""],
  ["is not JSON", () => "<html>"],
  ["is cut off", (json) => json.slice(0, -1)],
  ["has text behind it", (json) => json + "{}"],
  ["has a comment", (json) => json.replace("{", "{/* */")],
  ["has a trailing comma", (json) => json.replace(/\}$/, ",}")],
  ["has a byte order mark", (json) => "\ufeff" + json],
  ["is UTF-16", (json) => Uint8Array.from(json.split("").flatMap((c) => [c.charCodeAt(0), 0]))],
  [
    "is not UTF-8",
    (json) =>
      concat([bytes(json.replace(/\}$/, ',"x":"')), Uint8Array.of(0xff, 0xc0, 0xaf), bytes('"}')]),
  ],
  ["has a lone surrogate", (json) => json.replace(/\}$/, ',"x":"\\ud800"}')],
  ["is an array", (json) => `[${json}]`],
  ["is null", () => "null"],
  ["is a string", (json) => JSON.stringify(json)],
  [
    "is nested without end",
    (json) => json.replace(/\}$/, `,"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
  ],
  [
    "is nested without end in objects",
    (json) => json.replace(/\}$/, `,"x":${'{"x":'.repeat(50_000)}1${"}".repeat(50_000)}}`),
  ],
  ["is larger than any document", (json) => json + " ".repeat(9 * 2 ** 20)],
  ["has a name twice", (json) => json.replace("{", '{"x":1,"x":2,')],
  ["has a name twice, escaped", (json) => json.replace("{", '{"x":1,"\\u0078":2,')],
  ["has a name twice, deep down", (json) => json.replace("{", '{"y":[{"x":1,"x":1}],')],
];
for (const raw of ALL_RAW) {
  const what = raw.slice(3).toLowerCase();
  for (const [name, change] of WAYS) refused(`${what} ${name}`, { [raw]: change }, ["Cannot"]);
}
refused("manifest names its layers twice", {
  rawManifest: (json) => json.replace("{", '{"layers":[],'),
}, ["layers"]);
refused("config names its diff_ids twice", {
  rawConfig: (json) => json.replace('"diff_ids":', '"diff_ids":[],"diff_ids":'),
}, ["diff_ids"]);
