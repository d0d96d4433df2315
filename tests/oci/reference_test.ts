import { assertEquals } from "@std/assert";
import { familiarName, parseImageName, parseReference, storeTag } from "../../src/oci/reference.ts";
import { EMPTY_DIGEST, type Rejection, testRejections } from "./documents.ts";

const TAG128 = "a".repeat(128);
const hub = (name: string, tag?: string) => ({
  host: "docker.io",
  repository: `library/${name}`,
  ...(tag === undefined ? {} : { tag }),
});

Deno.test("references of every transport", () => {
  const table: readonly [string, unknown][] = [
    ["oci:image", { transport: "oci", path: "image" }],
    ["oci:/srv/my images/x", { transport: "oci", path: "/srv/my images/x" }],
    ["oci:image:v1.0", { transport: "oci", path: "image", tag: "v1.0" }],
    ["oci:image:" + TAG128, { transport: "oci", path: "image", tag: TAG128 }],
    [
      "oci:image:registry.example.com:5000/a/b:c",
      { transport: "oci", path: "image", tag: "registry.example.com:5000/a/b:c" },
    ],
    [`oci:image@${EMPTY_DIGEST}`, { transport: "oci", path: "image", digest: EMPTY_DIGEST }],
    ["oci:me@host/image", { transport: "oci", path: "me@host/image" }],
    ["oci:me@host:tag", { transport: "oci", path: "me@host", tag: "tag" }],
    [
      `oci:me@host@${EMPTY_DIGEST}`,
      { transport: "oci", path: "me@host", digest: EMPTY_DIGEST },
    ],
    ["oci-archive:a.tar", { transport: "oci-archive", path: "a.tar" }],
    ["oci-archive:a.tar:x", { transport: "oci-archive", path: "a.tar", tag: "x" }],
    ["docker-archive:a.tar", { transport: "docker-archive", path: "a.tar" }],
    [
      "docker-archive:/x/a.tar:alpine:3",
      { transport: "docker-archive", path: "/x/a.tar", name: hub("alpine", "3") },
    ],
    [
      "docker-archive:a.tar:localhost:5000/x",
      {
        transport: "docker-archive",
        path: "a.tar",
        name: { host: "localhost:5000", repository: "x", tag: "latest" },
      },
    ],
    ["docker://alpine", { transport: "docker", ...hub("alpine", "latest") }],
    [
      `docker://ghcr.io/a/b:c@${EMPTY_DIGEST}`,
      { transport: "docker", host: "ghcr.io", repository: "a/b", tag: "c", digest: EMPTY_DIGEST },
    ],
    [
      `docker://[::1]:5000/a@${EMPTY_DIGEST}`,
      { transport: "docker", host: "[::1]:5000", repository: "a", digest: EMPTY_DIGEST },
    ],
    ["alpine", { transport: "store", name: "alpine", ...hub("alpine", "latest") }],
    ["alpine:3.20", { transport: "store", name: "alpine", ...hub("alpine", "3.20") }],
    ["oci", { transport: "store", name: "oci", ...hub("oci", "latest") }],
    ["docker:stable", { transport: "store", name: "docker", ...hub("docker", "stable") }],
    [
      `debian@${EMPTY_DIGEST}`,
      { transport: "store", name: "debian", ...hub("debian"), digest: EMPTY_DIGEST },
    ],
    [
      "localhost:5000/a:b",
      {
        transport: "store",
        name: "localhost:5000/a",
        host: "localhost:5000",
        repository: "a",
        tag: "b",
      },
    ],
  ];
  for (const [text, expected] of table) {
    const parsed: unknown = parseReference(text);
    assertEquals(parsed, expected, text);
  }
});

Deno.test("what is a transport elsewhere is a name where no tag follows it at once", () => {
  for (const text of ["dir", "x/dir:1", "docker.io/library/dir:1", "dir-x:1", "docker://dir:1"]) {
    const { transport } = parseReference(text);
    assertEquals(transport, text === "docker://dir:1" ? "docker" : "store", text);
  }
});

Deno.test("names are filled in by Docker's rules", () => {
  const table: readonly [string, string, string, string][] = [
    ["alpine", "docker.io", "library/alpine", "latest"],
    ["library/alpine", "docker.io", "library/alpine", "latest"],
    ["docker.io/alpine", "docker.io", "library/alpine", "latest"],
    ["index.docker.io/alpine:3", "docker.io", "library/alpine", "3"],
    ["user/image", "docker.io", "user/image", "latest"],
    ["localhost/image", "localhost", "image", "latest"],
    ["Registry/image", "Registry", "image", "latest"],
    ["registry:80/image", "registry:80", "image", "latest"],
    ["127.0.0.1/a/b/c", "127.0.0.1", "a/b/c", "latest"],
    ["a_b/c__d/e-f--g.h:_X.y-z", "docker.io", "a_b/c__d/e-f--g.h", "_X.y-z"],
  ];
  for (const [text, host, repository, tag] of table) {
    const name: unknown = parseImageName(text);
    assertEquals(name, { host, repository, tag }, text);
  }
});

Deno.test("a store's tag is the familiar name with its tag, and means the same image", () => {
  const table: readonly [string, string][] = [
    ["alpine", "alpine:latest"],
    ["docker.io/library/alpine", "alpine:latest"],
    ["docker.io/library/alpine:latest", "alpine:latest"],
    ["index.docker.io/alpine:3", "alpine:3"],
    ["docker.io/user/app:1", "user/app:1"],
    ["ghcr.io/x/y", "ghcr.io/x/y:latest"],
    ["localhost:5000/library/x", "localhost:5000/library/x:latest"],
    ["docker.io/library/a/b", "library/a/b:latest"],
    ["docker.io/localhost/x", "docker.io/localhost/x:latest"],
    ["docker.io/a.b/x", "docker.io/a.b/x:latest"],
    ["docker.io/library/a.b", "a.b:latest"],
    ["docker.io/a__b.c/x", "docker.io/a__b.c/x:latest"],
  ];
  for (const [text, tag] of table) {
    const name = parseImageName(text);
    assertEquals(storeTag(name), tag);
    assertEquals(parseImageName(tag), name);
    assertEquals(`${familiarName(name)}:${name.tag}`, tag);
  }
});

const wrong: readonly [string, string][] = [
  ["", "is no image name"],
  ["./image", "oci:DIR"],
  ["/tmp/image", "is no image name"],
  ["Alpine", "in lowercase"],
  ["a..b", "is no image name"],
  ["a///b", "is no image name"],
  ["a_", "is no image name"],
  ["-a", "is no image name"],
  ["a b", "is no image name"],
  ["a\n", "is no image name"],
  ["http://example.com/a", "is no image name"],
  ["alpine:", 'the tag "" is not 1 to 128'],
  ["alpine:.x", 'the tag ".x"'],
  ["alpine:a b", 'the tag "a b"'],
  [`alpine:${TAG128}a`, "is not 1 to 128"],
  ["alpine@", '"" is not a digest'],
  ["alpine@sha256:ab", '"sha256:ab" is not'],
  [`alpine@${EMPTY_DIGEST}@${EMPTY_DIGEST}`, "is not"],
  [`host.example/${"a/".repeat(130)}a`, "longer than 255"],
  ["host.example:65536/a", "there is no port 65536"],
  ["docker://", "is no image name"],
  ["docker://host.example/", "is no image name"],
  ["docker://-.example./a", "is no image name"],
  ["docker://h:port/a", "is no image name"],
  ["docker://a/../b", "is no image name"],
  ["oci:", "the path is missing"],
  ["oci::tag", "the path is missing"],
  ["oci:a\0b", "NUL"],
  ["oci:image:", 'the tag ""'],
  ["oci:image:a b", 'the tag "a b"'],
  ["oci:image:-a", 'the tag "-a"'],
  [`oci:image:${TAG128}a`, "is not 1 to 128"],
  [`oci:image:a/${"a".repeat(400)}`, "the tag"],
  ["oci:image@sha256:AB", '"sha256:AB" is not'],
  [`oci:image:tag@${EMPTY_DIGEST}`, "give one of them"],
  [`oci:@${EMPTY_DIGEST}`, "the path is missing"],
  ["oci-archive:", "the path is missing"],
  ["docker-archive:", "the path is missing"],
  ["docker-archive::a:b", "the path is missing"],
  ["docker-archive:a.tar:", "is no image name"],
  [`docker-archive:a.tar:alpine@${EMPTY_DIGEST}`, "no digests"],
  ...["containers-storage", "dir", "docker-daemon", "ostree", "sif", "tarball"].flatMap(
    (transport): [string, string][] => [
      [`${transport}:latest`, `no transport "${transport}:"`],
      [`${transport}:/srv/x`, "oci-archive:FILE[:TAG], docker-archive:FILE[:REPO:TAG], docker://"],
      [`${transport}:alpine@${EMPTY_DIGEST}`, `no transport "${transport}:"`],
    ],
  ),
];
testRejections(
  "a reference",
  "usage",
  wrong.map(([text, message]): Rejection => [
    JSON.stringify(text.slice(0, 60)),
    () => parseReference(text),
    "Cannot read image reference",
    message,
  ]),
);
