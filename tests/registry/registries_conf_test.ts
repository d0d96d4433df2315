import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { parseImageName } from "../../src/oci/reference.ts";
import {
  endpoints,
  isInsecureHost,
  mergeEntries,
  parseRegistriesConf,
} from "../../src/registry/registries_conf.ts";

/** Where an image comes from, as `[!]host/repository`, "!" for insecure and "~" for a mirror. */
function places(toml: string, image: string): string[] {
  return endpoints(parseRegistriesConf(toml, "test.conf"), parseImageName(image)).map((one) =>
    `${one.insecure ? "!" : ""}${one.mirror ? "~" : ""}${one.host}/${one.repository}`
  );
}

Deno.test("without an entry, an image is where its name says", () => {
  assertEquals(places("", "alpine"), ["docker.io/library/alpine"]);
  assertEquals(places('[[registry]]\nlocation = "a.io"', "b.io/x"), ["b.io/x"]);
});

// The example of containers-registries.conf(5).
const EXAMPLE = `
unqualified-search-registries = ["example.com"]

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true

[[registry]]
location = "registry.com"

[[registry.mirror]]
location = "mirror.registry.com"
`;

Deno.test("the example of the manual page", () => {
  assertEquals(places(EXAMPLE, "example.com/foo/image:latest"), [
    "~example-mirror-0.local/mirror-for-foo/image",
    "!~example-mirror-1.local/mirrors/foo/image",
    "internal-registry-for-example.com/bar/image",
  ]);
  assertEquals(places(EXAMPLE, "registry.com/image"), [
    "~mirror.registry.com/image",
    "registry.com/image",
  ]);
  // A prefix ends at a separator.
  assertEquals(places(EXAMPLE, "example.com/food/image"), ["example.com/food/image"]);
});

Deno.test("the longest prefix counts", () => {
  const toml = `
    [[registry]]
    location = "a.io"
    insecure = true
    [[registry]]
    prefix = "a.io/team"
    location = "b.io/x"
    [[registry]]
    prefix = "a.io/team/app:v1"
    location = "c.io/old"
    [[registry]]
    prefix = "*.io"
    location = "d.io"
  `;
  assertEquals(places(toml, "a.io/other"), ["!a.io/other"]);
  assertEquals(places(toml, "a.io/team/app"), ["b.io/x/app"]);
  assertEquals(places(toml, "a.io/team"), ["b.io/x"]);
  assertEquals(places(toml, "a.io/team/app:v1"), ["c.io/old"]);
  assertEquals(places(toml, "x.y.io/n"), ["d.io/n"]);
});

Deno.test("wildcards take all subdomains, and need no location", () => {
  const toml = '[[registry]]\nprefix = "*.example.com"\ninsecure = true';
  assertEquals(places(toml, "a.b.example.com/x"), ["!a.b.example.com/x"]);
  assertEquals(places(toml, "example.com/x"), ["example.com/x"]);
  assertEquals(places(toml, "badexample.com/x"), ["badexample.com/x"]);
  assertEquals(places(toml, "a.example.com.evil.io/x"), ["a.example.com.evil.io/x"]);
});

Deno.test("Docker Hub's images are below library/", () => {
  const toml = '[[registry]]\nprefix = "docker.io/library"\nlocation = "hub.lan/mirror"';
  assertEquals(places(toml, "alpine"), ["hub.lan/mirror/alpine"]);
  assertEquals(places(toml, "user/app"), ["docker.io/user/app"]);
});

Deno.test("a host without a dot is one where a location is wanted", () => {
  const toml = '[[registry]]\nprefix = "a.io"\nlocation = "registry/team"';
  assertEquals(places(toml, "a.io/app"), ["registry/team/app"]);
});

Deno.test("mirrors may be for digests, or for tags, only", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const table = (more: string, mirror: string) =>
    `[[registry]]\nlocation = "a.io"\n${more}\n[[registry.mirror]]\nlocation = "m.io"\n${mirror}`;
  const uses: [string, string, boolean, boolean][] = [
    ["", "", true, true],
    ["", 'pull-from-mirror = "all"', true, true],
    ["", 'pull-from-mirror = "digest-only"', false, true],
    ["", 'pull-from-mirror = "tag-only"', true, false],
    ["mirror-by-digest-only = true", "", false, true],
  ];
  for (const [more, mirror, byTag, byDigest] of uses) {
    const toml = table(more, mirror);
    assertEquals(places(toml, "a.io/x:v1").length, byTag ? 2 : 1, toml);
    assertEquals(places(toml, `a.io/x@${digest}`).length, byDigest ? 2 : 1, toml);
  }
});

Deno.test("a blocked registry is not used", () => {
  const error = assertThrows(
    () => places('[[registry]]\nlocation = "a.io"\nblocked = true', "a.io/x"),
    LayerfsError,
  );
  assertEquals(error.code, "unauthorized");
  assertEquals(error.message, 'Cannot use a.io/x: "test.conf" blocks "a.io"');
});

for (
  const [name, toml, state] of [
    ["no TOML", "[[registry", "it is not TOML"],
    ["version 1", "[registries.insecure]\nregistries = ['a.io']", "is of version 1"],
    ["no location", "[[registry]]\ninsecure = true", 'neither "location" nor "prefix"'],
    ["a prefix alone", '[[registry]]\nprefix = "a.io"', 'registry[0] has no "location"'],
    ["a URL", '[[registry]]\nlocation = "https://a.io"', "has a URL"],
    ["another wildcard", '[[registry]]\nprefix = "*.a.io/x"', 'is not "*." and a domain'],
    ["a word for a truth", '[[registry]]\nlocation = "a.io"\ninsecure = "yes"', "true or false"],
    ["one table", '[registry]\nlocation = "a.io"', "registry is"],
    [
      "an unknown use",
      '[[registry]]\nlocation = "a.io"\n[[registry.mirror]]\nlocation = "b.io"\npull-from-mirror = "x"',
      'pull-from-mirror "x"',
    ],
    [
      "two uses",
      '[[registry]]\nlocation = "a.io"\nmirror-by-digest-only = true\n[[registry.mirror]]\n' +
      'location = "b.io"\npull-from-mirror = "all"',
      "beside mirror-by-digest-only",
    ],
  ] as const
) {
  Deno.test(`registries.conf with ${name} is refused`, () => {
    const error = assertThrows(() => parseRegistriesConf(toml, "test.conf"), LayerfsError);
    assertEquals(error.code, "usage");
    assertStringIncludes(error.message, "test.conf");
    assertStringIncludes(error.message, state);
  });
}

Deno.test("a location that makes no name is refused", () => {
  for (const location of ["a.io/UPPER", "a.io/x:5000", "a b"]) {
    const toml = `[[registry]]\nprefix = "a.io"\nlocation = "${location}"`;
    const error = assertThrows(() => places(toml, "a.io/x"), LayerfsError);
    assertStringIncludes(error.message, "which is no image name");
  }
});

Deno.test("the last file counts for a prefix", () => {
  const one = parseRegistriesConf('[[registry]]\nlocation = "a.io"\ninsecure = true', "1");
  const two = parseRegistriesConf('[[registry]]\nlocation = "a.io"', "2");
  assertEquals(mergeEntries([one, two]).map(({ file }) => file), ["2"]);
  assertEquals(isInsecureHost(mergeEntries([one, two]), "a.io"), false);
  assertEquals(isInsecureHost(mergeEntries([two, one]), "a.io"), true);
});
