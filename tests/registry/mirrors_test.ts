import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { RegistryClient } from "../../src/registry/client.ts";
import { broken, failure, FaultyRegistry } from "./faulty_registry.ts";
import { collect, failureOf, pattern, settingsFor, TestClock } from "./harness.ts";

const CONTENT = pattern(50_000);

/** A client for an image of `registry`, which has a mirror. */
function mirrored(
  registry: FaultyRegistry,
  mirror: FaultyRegistry,
  host = "example.com",
): RegistryClient {
  const registries = [{
    file: "x",
    prefix: host,
    location: registry.host,
    insecure: true,
    blocked: false,
    mirrors: [{ location: `${mirror.host}/cache`, insecure: true, use: "all" as const }],
  }];
  const image = { host, repository: "team/app", tag: "latest" };
  return RegistryClient.open(image, settingsFor([], { registries }), new TestClock().timing);
}

Deno.test("a mirror that has an image is asked for all of it", async () => {
  await using registry = new FaultyRegistry();
  await using mirror = new FaultyRegistry();
  await using client = mirrored(registry, mirror);
  const digest = mirror.manifest("latest", '{"manifests":[]}');
  assertEquals((await client.manifest("latest")).digest, digest);
  assertEquals(await collect(client.blob(mirror.blob(CONTENT))), CONTENT);
  assertEquals(registry.asked.length, 0);
  assert(mirror.log.every((line) => line.includes("/v2/cache/team/app/") || line.endsWith("/v2/")));
});

Deno.test("the registry has what its mirror has not, and stays with it", async () => {
  await using registry = new FaultyRegistry();
  await using mirror = new FaultyRegistry();
  await using client = mirrored(registry, mirror);
  registry.manifest("latest", '{"manifests":[]}');
  await client.manifest("latest");
  const asked = mirror.asked.length;
  assertEquals(await collect(client.blob(registry.blob(CONTENT))), CONTENT);
  assertEquals(mirror.asked.length, asked);
});

Deno.test("a blob that breaks at the mirror goes on at the registry", async () => {
  await using registry = new FaultyRegistry();
  await using mirror = new FaultyRegistry(({ target, headers }) => {
    if (!target.includes("/blobs/")) return undefined;
    return headers.has("range")
      ? new Response(null, { status: 503 })
      : broken(CONTENT.slice(0, 100));
  });
  await using client = mirrored(registry, mirror);
  assertEquals(await collect(client.blob(registry.blob(CONTENT))), CONTENT);
  assertEquals(registry.asked.at(-1)?.headers.get("range"), "bytes=100-");
});

Deno.test("a mirror with a wrong digest is not passed over", async () => {
  await using registry = new FaultyRegistry();
  await using mirror = new FaultyRegistry();
  await using client = mirrored(registry, mirror);
  const digest = registry.manifest("latest", '{"manifests":[]}');
  mirror.manifests.set(digest, { bytes: new Uint8Array(7), type: "application/json" });
  const { code, message } = await failureOf(() => client.manifest(digest));
  assertEquals(code, "digest-mismatch");
  assertStringIncludes(message, `of ${mirror.host}/`);
  const blob = registry.blob(pattern(100));
  mirror.blobs.set(blob.digest, pattern(100, 2));
  const wrong = await failureOf(() => client.document(blob));
  assertEquals([wrong.code, wrong.data.registry], ["digest-mismatch", mirror.host]);
});

Deno.test("a stream says which registry its bytes are from", async () => {
  await using registry = new FaultyRegistry();
  await using mirror = new FaultyRegistry();
  await using client = mirrored(registry, mirror);
  const bytes = pattern(100_000);
  const descriptor = registry.blob(bytes);
  const origins: string[] = [];
  const read = () =>
    collect(client.blob(descriptor, undefined, (origin) => origins.push(origin.registry)));
  assertEquals(await read(), bytes);
  assertEquals(origins, [registry.host]);
  mirror.blobs.set(descriptor.digest, bytes);
  await read();
  assertEquals(origins, [registry.host, mirror.host]);
});

Deno.test("where all fail, all are told", async () => {
  await using registry = new FaultyRegistry();
  await using mirror = new FaultyRegistry(({ target }) =>
    target.endsWith("/v2/") ? undefined : failure(400, "ODD", "a bad day")
  );
  await using client = mirrored(registry, mirror);
  const { code, message } = await failureOf(() => client.manifest("latest"));
  assertEquals(code, "not-found");
  assertStringIncludes(
    message,
    `of ${registry.host}/team/app: GET /v2/team/app/manifests/latest: 404`,
  );
  assertStringIncludes(message, "its mirrors failed before");
  assertStringIncludes(message, `of ${mirror.host}/cache/team/app`);
  assertStringIncludes(message, "ODD: a bad day");
});

Deno.test("what is written goes where the name says, not to a location or a mirror", async () => {
  await using registry = new FaultyRegistry();
  await using mirror = new FaultyRegistry();
  await using named = new FaultyRegistry();
  await using client = mirrored(registry, mirror, named.host);
  await client.putManifest("v1", new TextEncoder().encode("{}"), "application/x");
  assertEquals([mirror.asked.length, registry.asked.length], [0, 0]);
  assertEquals(named.manifests.has("v1"), true);
});
