import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { digestBytes } from "../../src/core/hasher.ts";
import {
  DOCKER_INDEX,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_MANIFEST,
} from "../../src/oci/media_type.ts";
import { endless, failure, FaultyRegistry, type Handler } from "./faulty_registry.ts";
import { assertDamaged, clientFor, failureOf } from "./harness.ts";

const TEXT = '{"schemaVersion":2,"manifests":[]}';
const BYTES = new TextEncoder().encode(TEXT);
const SHA256 = digestBytes(BYTES, "sha256", "native");
const SHA512 = digestBytes(BYTES, "sha512", "native");
const OTHER = digestBytes(new Uint8Array(1), "sha256", "native");

/** A handler for manifests only. */
function manifests(answer: () => Response): Handler {
  return ({ target }) => target.includes("/manifests/") ? answer() : undefined;
}

/** What a client makes of an answer. */
async function read(answer: () => Response, reference = "latest") {
  await using registry = new FaultyRegistry(manifests(answer));
  await using client = clientFor(registry);
  return await client.manifest(reference);
}

const headers = (digest?: string, type = OCI_INDEX): Record<string, string> => ({
  "content-type": type,
  ...(digest === undefined ? {} : { "docker-content-digest": digest }),
});

Deno.test("a tag gives bytes, type and the digest of the bytes", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  const digest = registry.manifest("latest", TEXT, DOCKER_INDEX);
  for (const reference of ["latest", digest]) {
    const found = await client.manifest(reference);
    assertEquals(found, { bytes: BYTES, mediaType: DOCKER_INDEX, digest });
  }
  assertEquals(
    registry.asked.at(-1)?.headers.get("accept"),
    [OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST].join(", "),
  );
});

Deno.test("without Docker-Content-Digest the bytes tell the digest", async () => {
  const { digest } = await read(() => new Response(BYTES, { headers: headers() }));
  assertEquals(digest, SHA256);
});

Deno.test("sha512 is verified, as it is asked for or announced", async () => {
  const answer = () => new Response(BYTES, { headers: headers(SHA512) });
  assertEquals((await read(answer)).digest, SHA512);
  assertEquals((await read(answer, SHA512)).digest, SHA512);
  assertEquals((await read(answer, SHA256)).digest, SHA256);
});

Deno.test("another manifest than the digest's is refused, whatever the registry says", async () => {
  for (const announced of [undefined, OTHER, SHA256]) {
    const answer = () => new Response(BYTES, { headers: headers(announced) });
    const error = await failureOf(() => read(answer, OTHER));
    const { code, data } = error;
    assertEquals([code, data.digest, data.found], ["digest-mismatch", OTHER, SHA256]);
    assertDamaged(error, new RegExp(`^GET /v2/team/app/manifests/${OTHER}$`));
  }
});

Deno.test("a Docker-Content-Digest that is not the content's is refused", async () => {
  const wrong512 = digestBytes(new Uint8Array(1), "sha512", "native");
  for (const [reference, announced] of [["latest", OTHER], [SHA256, OTHER], [SHA256, wrong512]]) {
    const answer = () => new Response(BYTES, { headers: headers(announced) });
    const { code } = await failureOf(() => read(answer, reference));
    assertEquals(code, "digest-mismatch");
  }
});

Deno.test("a digest that layerfs does not compute is not asked for", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  const { code } = await failureOf(() => client.manifest(`blake3:${"0".repeat(64)}`));
  assertEquals([code, registry.asked.length], ["unsupported", 0]);
});

Deno.test("a manifest without end, or longer than a document may be, is refused", async () => {
  const long = { ...headers(), "content-length": "9000000" };
  for (
    const answer of [
      () => endless(new Uint8Array(100_000), headers()),
      () => new Response(new Uint8Array(9_000_000), { headers: long }),
    ]
  ) {
    const { code, message } = await failureOf(() => read(answer));
    assertEquals(code, "image-invalid");
    assertStringIncludes(
      message,
      "team/app: GET /v2/team/app/manifests/latest: it has more than 8388608",
    );
  }
});

Deno.test("a manifest that trickles in is given up", async () => {
  await using registry = new FaultyRegistry(manifests(() => {
    let timer: ReturnType<typeof setInterval>;
    return new Response(
      new ReadableStream({
        start(to) {
          timer = setInterval(() => to.enqueue(new Uint8Array(1)), 5);
        },
        cancel: () => clearInterval(timer),
      }),
      { headers: headers() },
    );
  }));
  await using client = clientFor(registry, {}, { attempts: 1, document: 100 });
  const { code, message } = await failureOf(() => client.manifest("latest"));
  assertEquals(code, "unreachable");
  assertStringIncludes(message, "too slow");
});

Deno.test("where the type says nothing, the document does", async () => {
  const docker = `{"schemaVersion":2,"mediaType":"${DOCKER_MANIFEST}","config":{},"layers":[]}`;
  for (
    const [text, type, expected] of [
      [TEXT, "application/json", OCI_INDEX],
      [TEXT, "text/plain; charset=utf-8", OCI_INDEX],
      [TEXT, `${DOCKER_INDEX}; charset=utf-8`, DOCKER_INDEX],
      ['{"config":{},"layers":[]}', "application/json", OCI_MANIFEST],
      [docker, "application/json", DOCKER_MANIFEST],
      ['{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+prettyjws"],
    ] as const
  ) {
    const { mediaType } = await read(() =>
      new Response(text, { headers: headers(undefined, type) })
    );
    assertEquals(mediaType, expected ?? type);
  }
});

Deno.test("a web page is no manifest", async () => {
  const answer = () => new Response("<html>Sign in", { headers: headers(undefined, "text/html") });
  const { code, message } = await failureOf(() => read(answer));
  assertEquals(code, "registry-invalid");
  assertStringIncludes(message, 'the answer of type "text/html" is no manifest');
});

Deno.test("a manifest that is not there is not found", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  const { code, message, data } = await failureOf(() => client.manifest("v9"));
  assertEquals(code, "not-found");
  const request = "GET /v2/team/app/manifests/v9";
  assertEquals(data, {
    registry: registry.host,
    repository: "team/app",
    request,
    status: 404,
    errors: "NAME_UNKNOWN",
  });
  assertStringIncludes(
    message,
    `Cannot read manifest "v9" of ${registry.host}/team/app: ${request}: 404: NAME_UNKNOWN: no /v2`,
  );
});

Deno.test("a tag resolves by HEAD", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  const digest = registry.manifest("latest", TEXT, OCI_INDEX);
  assertEquals(await client.resolve("latest"), { digest, mediaType: OCI_INDEX });
  assertEquals(registry.log.at(-1), "HEAD /v2/team/app/manifests/latest");
  registry.handler = manifests(() => new Response(null, { status: 405 }));
  assertEquals(await client.resolve("latest"), null);
  registry.handler = manifests(() => new Response(null, { headers: headers("sha256:xyz") }));
  assertEquals(await client.resolve("latest"), null);
});

for (const status of [400, 401, 403, 405, 406, 500, 501, 502, 503, 504]) {
  Deno.test(`a HEAD that is refused by ${status} leaves it to a GET to say why`, async () => {
    await using registry = new FaultyRegistry(({ method, target }) =>
      !target.includes("/manifests/")
        ? undefined
        : method === "HEAD"
        ? new Response(null, { status })
        : failure(status, "DENIED", "pay first")
    );
    await using client = clientFor(registry);
    assertEquals(await client.resolve("latest"), null);
    assertEquals(registry.log.filter((line) => line.startsWith("HEAD")).length, 1);
    const { message } = await failureOf(() => client.manifest("latest"));
    assertStringIncludes(message, `${status}: DENIED: pay first`);
  });
}

Deno.test("a document is verified in size and digest, whether blob or manifest", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  const digest = registry.manifest("latest", TEXT, OCI_INDEX);
  const index = { mediaType: OCI_INDEX, digest, size: BYTES.length };
  assertEquals(await client.document(index), BYTES);
  assert(registry.log.at(-1)?.includes(`/manifests/${digest}`));
  const blob = registry.blob(BYTES);
  assertEquals(await client.document(blob), BYTES);
  registry.blobs.set(digest, new Uint8Array(BYTES.length));
  const wrong = await failureOf(() => client.document(blob));
  assertEquals([wrong.code, wrong.data.digest], ["digest-mismatch", digest]);
  assertDamaged(wrong, new RegExp(`^GET /v2/team/app/blobs/${digest}$`));
  const short = await failureOf(() => client.document({ ...index, size: BYTES.length + 1 }));
  assertEquals(short.code, "size-mismatch");
  assertDamaged(short, new RegExp(`^GET /v2/team/app/manifests/${digest}$`));
  const long = await failureOf(() => client.document({ ...blob, size: 9_000_000 }));
  assertEquals([long.code, long.data.repository], ["image-invalid", "team/app"]);
  assertStringIncludes(long.message, `of ${registry.host}/team/app: its descriptor says 9000000`);
});
