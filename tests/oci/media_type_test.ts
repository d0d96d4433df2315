import { assertEquals } from "@std/assert";
import {
  isConfig,
  isIndex,
  isManifest,
  mediaTypeProblem,
  parseLayerMediaType,
} from "../../src/oci/media_type.ts";

const OCI = "application/vnd.oci.image.";
const DOCKER = "application/vnd.docker.";

Deno.test("layer types of both families", () => {
  const table: readonly [string, string, string, boolean][] = [
    [`${OCI}layer.v1.tar`, "none", "oci", false],
    [`${OCI}layer.v1.tar+gzip`, "gzip", "oci", false],
    [`${OCI}layer.v1.tar+zstd`, "zstd", "oci", false],
    [`${OCI}layer.nondistributable.v1.tar`, "none", "oci", true],
    [`${OCI}layer.nondistributable.v1.tar+gzip`, "gzip", "oci", true],
    [`${OCI}layer.nondistributable.v1.tar+zstd`, "zstd", "oci", true],
    [`${DOCKER}image.rootfs.diff.tar`, "none", "docker", false],
    [`${DOCKER}image.rootfs.diff.tar.gzip`, "gzip", "docker", false],
    [`${DOCKER}image.rootfs.diff.tar.zstd`, "zstd", "docker", false],
    [`${DOCKER}image.rootfs.foreign.diff.tar.gzip`, "gzip", "docker", true],
  ];
  for (const [type, compression, family, nondistributable] of table) {
    const parsed: unknown = parseLayerMediaType(type);
    assertEquals(parsed, { compression, family, nondistributable }, type);
  }
});

Deno.test("other types are no layers", () => {
  const types = [
    "",
    "toString",
    `${OCI}layer.v1.tar+bzip2`,
    `${OCI}layer.v1.tar.gzip`,
    `${OCI}layer.v1.tar+gzip+encrypted`,
    `${OCI}layer.v1.TAR`,
    "application/vnd.oci.empty.v1+json",
    "application/vnd.in-toto+json",
  ];
  for (const type of types) assertEquals(parseLayerMediaType(type), undefined, type);
});

Deno.test("documents are told apart", () => {
  const table: readonly [string, boolean, boolean, boolean][] = [
    [`${OCI}manifest.v1+json`, true, false, false],
    [`${DOCKER}distribution.manifest.v2+json`, true, false, false],
    [`${OCI}index.v1+json`, false, true, false],
    [`${DOCKER}distribution.manifest.list.v2+json`, false, true, false],
    [`${OCI}config.v1+json`, false, false, true],
    [`${DOCKER}container.image.v1+json`, false, false, true],
    ["application/json", false, false, false],
    [`${DOCKER}distribution.manifest.v1+prettyjws`, false, false, false],
  ];
  for (const [type, manifest, index, config] of table) {
    assertEquals([isManifest(type), isIndex(type), isConfig(type)], [manifest, index, config]);
  }
});

Deno.test("media types follow RFC 6838", () => {
  const right = [
    "a/b",
    "text/x",
    `${OCI}layer.v1.tar+gzip`,
    "a!#$&-^_.+/0!#$&-^_.+",
    `${"a".repeat(127)}/${"b".repeat(127)}`,
  ];
  for (const type of right) assertEquals(mediaTypeProblem(type), null, type);
  const wrong: unknown[] = [
    "",
    "application",
    "/x",
    "x/",
    "a/b/c",
    "a b/c",
    ".a/b",
    "a/+b",
    "a/b;c=d",
    "a/b\n",
    "a*/b",
    "é/x",
    `${"a".repeat(128)}/b`,
    `a/${"b".repeat(128)}`,
    7,
    null,
    undefined,
  ];
  for (const type of wrong) {
    assertEquals(mediaTypeProblem(type), 'a media type, "type/subtype" (RFC 6838)', String(type));
  }
});
