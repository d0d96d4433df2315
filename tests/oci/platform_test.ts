import { assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import {
  fallbackPlatforms,
  formatPlatform,
  hostPlatform,
  normalizePlatform,
  parsePlatform,
  type Platform,
  type PlatformChoice,
  rankPlatforms,
  selectPlatform,
} from "../../src/oci/platform.ts";
import { testRejections } from "./documents.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

/** `os/arch/variant` as it stands, without normalising. */
function raw(text: string): Platform {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

interface Choice extends PlatformChoice {
  readonly id: number;
}

const choices = (...platforms: string[]): Choice[] =>
  platforms.map((text, id) => ({
    id,
    mediaType: MANIFEST,
    ...(text === "" ? {} : { platform: raw(text) }),
  }));

Deno.test("platforms have one normal form", () => {
  const table: readonly [string, string][] = [
    ["linux/amd64", "linux/amd64"],
    ["Linux/X86_64", "linux/amd64"],
    ["linux/x86-64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/V2", "linux/amd64/v2"],
    ["linux/amd64/3", "linux/amd64/v3"],
    ["linux/i386", "linux/386"],
    ["linux/i686", "linux/386"],
    ["linux/386/sse2", "linux/386"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm64/8", "linux/arm64"],
    ["linux/arm64/v8.0", "linux/arm64"],
    ["linux/arm64/v8.2", "linux/arm64/v8.2"],
    ["linux/arm64/9", "linux/arm64/v9"],
    ["linux/arm64/v9.0", "linux/arm64/v9"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/6", "linux/arm/v6"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["linux/armel/v9", "linux/arm/v6"],
    ["linux/ppc64le/power9", "linux/ppc64le/power9"],
    ["linux/riscv64", "linux/riscv64"],
    ["macos/arm64", "darwin/arm64"],
    ["windows/amd64", "windows/amd64"],
  ];
  for (const [text, normal] of table) {
    assertEquals(formatPlatform(parsePlatform(text)), normal, text);
    assertEquals(formatPlatform(normalizePlatform(raw(normal))), normal, "normal stays normal");
  }
});

Deno.test("version and features of the system are kept", () => {
  const platform = { ...raw("windows/amd64"), osVersion: "10.0", osFeatures: ["win32k"] };
  assertEquals(normalizePlatform(platform), platform);
});

testRejections(
  "a platform",
  "usage",
  ["", "linux", "linux/", "/amd64", "linux//v7", "a/b/c/d", "linux/amd 64", "linux/amd64\n"].map(
    (text) => [JSON.stringify(text), () => parsePlatform(text), "is not OS/ARCH[/VARIANT]"],
  ),
);

Deno.test("this machine's platform is a Linux one", () => {
  assertEquals(hostPlatform(), normalizePlatform(hostPlatform()));
  assertEquals(hostPlatform().os, "linux");
});

Deno.test("fallbacks, best first", () => {
  const table: readonly [string, string][] = [
    ["linux/amd64", "amd64 386"],
    ["linux/amd64/v1", "amd64 386"],
    ["linux/amd64/v3", "amd64/v3 amd64/v2 amd64 386"],
    ["linux/386", "386"],
    ["linux/arm", "arm/v7 arm/v6 arm/v5"],
    ["linux/arm/v8", "arm/v8 arm/v7 arm/v6 arm/v5"],
    ["linux/arm/v6", "arm/v6 arm/v5"],
    ["linux/arm/v5", "arm/v5"],
    ["linux/arm64", "arm64 arm/v8 arm/v7 arm/v6 arm/v5"],
    ["linux/arm64/v8.2", "arm64/v8.2 arm64/v8.1 arm64 arm/v8 arm/v7 arm/v6 arm/v5"],
    [
      "linux/arm64/v9",
      "arm64/v9 arm64/v8.5 arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64 " +
      "arm/v8 arm/v7 arm/v6 arm/v5",
    ],
    [
      "linux/arm64/v9.6",
      "arm64/v9.6 arm64/v9.5 arm64/v9.4 arm64/v9.3 arm64/v9.2 arm64/v9.1 arm64/v9 " +
      "arm64/v8.9 arm64/v8.8 arm64/v8.7 arm64/v8.6 arm64/v8.5 arm64/v8.4 arm64/v8.3 " +
      "arm64/v8.2 arm64/v8.1 arm64 arm/v8 arm/v7 arm/v6 arm/v5",
    ],
    ["linux/riscv64", "riscv64"],
    ["linux/ppc64le/power9", "ppc64le/power9"],
    ["linux/amd64/odd", "amd64/odd 386"],
    ["linux/arm64/odd", "arm64/odd arm64"],
  ];
  for (const [wanted, order] of table) {
    const got = fallbackPlatforms(parsePlatform(wanted)).map(formatPlatform);
    assertEquals(got, order.split(" ").map((name) => `linux/${name}`), wanted);
  }
});

Deno.test("an endless variant gives no endless list", () => {
  assertEquals(fallbackPlatforms(parsePlatform("linux/amd64/v999999999")).length, 2);
});

Deno.test("the best fit is chosen, and the first of equals", () => {
  const table: readonly [string, string[], number][] = [
    ["linux/amd64", ["linux/arm64", "linux/amd64"], 1],
    ["linux/amd64", ["linux/386", "linux/amd64"], 1],
    ["linux/amd64", ["linux/arm64", "linux/386"], 1],
    ["linux/amd64", ["linux/amd64", "linux/amd64/v1"], 0],
    ["linux/amd64", ["linux/amd64/v2", "linux/amd64"], 1],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], 1],
    ["linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], 1],
    ["linux/arm64", ["linux/arm/v6", "linux/arm/v7"], 1],
    ["linux/arm64", ["linux/arm64/v8.1", "linux/arm"], 1],
    ["linux/arm/v6", ["linux/arm/v7", "linux/arm/v5", "linux/arm/v6"], 2],
    ["linux/arm", ["linux/arm/v6", "linux/arm"], 1],
    ["linux/aarch64", ["Linux/AArch64"], 0],
    ["linux/amd64", ["windows/amd64", "linux/amd64"], 1],
    ["linux/amd64", ["", "linux/amd64"], 1],
    ["linux/amd64", ["linux/arm64", "", ""], 1],
  ];
  for (const [wanted, offered, best] of table) {
    const chosen = selectPlatform(choices(...offered), parsePlatform(wanted));
    assertEquals(chosen.id, best, `${wanted} of ${offered.join(" ")}`);
  }
});

Deno.test("documents of other kinds are passed over", () => {
  const platform = raw("linux/amd64");
  const list: Choice[] = [
    { id: 0, mediaType: "application/xml", platform },
    { id: 1, mediaType: MANIFEST, platform, artifactType: "application/vnd.example.sbom" },
    { id: 2, mediaType: MANIFEST, platform: raw("unknown/unknown") },
    { id: 3, mediaType: INDEX, platform },
    {
      id: 4,
      mediaType: MANIFEST,
      platform,
      artifactType: "application/vnd.oci.image.config.v1+json",
    },
    { id: 5, mediaType: INDEX },
  ];
  assertEquals(rankPlatforms(list, platform).map(({ id }) => id), [3, 4, 5]);
});

Deno.test("features are mandatory, versions must not contradict", () => {
  const windows = raw("windows/amd64");
  const list: Choice[] = [
    { id: 0, mediaType: MANIFEST, platform: { ...windows, osFeatures: ["win32k"] } },
    { id: 1, mediaType: MANIFEST, platform: { ...windows, osVersion: "10.0.1" } },
    { id: 2, mediaType: MANIFEST, platform: { ...windows, osVersion: "10.0.2" } },
  ];
  const ids = (more: Partial<Platform>) =>
    rankPlatforms(list, { ...windows, ...more }).map(({ id }) => id);
  assertEquals(ids({}), [1, 2]);
  assertEquals(ids({ osFeatures: ["win32k", "other"] }), [0, 1, 2]);
  assertEquals(ids({ osVersion: "10.0.2" }), [2]);
});

Deno.test("where nothing fits, the error tells what there is", () => {
  const error = assertThrows(
    () =>
      selectPlatform(
        choices("linux/arm64", "linux/s390x", "linux/arm64"),
        parsePlatform("linux/amd64"),
      ),
    LayerfsError,
    'for "linux/amd64": the index has linux/arm64, linux/s390x',
  );
  assertEquals(error.code, "platform-not-found");
  assertThrows(() => selectPlatform([], raw("linux/amd64")), LayerfsError, "has no image");
});
