import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FaultyRegistry } from "./faulty_registry.ts";
import { clientFor, collect, failureOf, pattern, settingsFor, TestClock } from "./harness.ts";

const CONTENT = pattern(1000);

Deno.test("a certificate that nobody vouches for is refused at once, with advice", async () => {
  await using registry = new FaultyRegistry(undefined, "https");
  const clock = new TestClock();
  await using client = clientFor(registry, settingsFor([]), clock.timing);
  const { code, message } = await failureOf(() => collect(client.blob(registry.blob(CONTENT))));
  assertEquals(code, "unreachable");
  assertStringIncludes(message, `of ${registry.host}/team/app: GET /v2/team/app/blobs/sha256:`);
  assertStringIncludes(message, "UnknownIssuer");
  assertStringIncludes(message, "--cert-dir");
  assertStringIncludes(message, "--tls-verify=false");
  assertEquals([registry.asked.length, clock.waits], [0, []]);
});

Deno.test("--tls-verify=true outdoes registries.conf", async () => {
  await using registry = new FaultyRegistry(undefined, "unverified https");
  const settings = settingsFor([registry.host], { tlsVerify: true });
  await using client = clientFor(registry, settings);
  assertStringIncludes(
    (await failureOf(() => client.manifest("latest"))).message,
    "UnknownIssuer",
  );
});

Deno.test("plain HTTP is not spoken to a registry that was not named insecure", async () => {
  await using registry = new FaultyRegistry();
  const clock = new TestClock();
  await using client = clientFor(registry, settingsFor([]), clock.timing);
  const { code, message } = await failureOf(() => client.manifest("latest"));
  assertEquals([code, registry.asked.length, clock.waits], ["unreachable", 0, []]);
  assertStringIncludes(message, "if it speaks plain HTTP, add --tls-verify=false");
});

for (const wire of ["http", "unverified https"] as const) {
  Deno.test(`--tls-verify=false takes ${wire}`, async () => {
    await using registry = new FaultyRegistry(undefined, wire);
    await using client = clientFor(registry, settingsFor([], { tlsVerify: false }));
    assertEquals(await collect(client.blob(registry.blob(CONTENT))), CONTENT);
  });
}

Deno.test("many requests at a time go over unverified https", async () => {
  await using registry = new FaultyRegistry(undefined, "unverified https");
  await using client = clientFor(registry);
  const blobs = Array.from({ length: 20 }, (_, i) => registry.blob(pattern(100_000, i)));
  const contents = await Promise.all(blobs.map((blob) => collect(client.blob(blob))));
  contents.forEach((bytes, i) => assertEquals(bytes, pattern(100_000, i)));
  // One look at what it speaks.
  assert(registry.log.filter((line) => line === "GET /v2/").length === 1);
});

Deno.test("a registry of https that breaks off once is not taken for one of plain HTTP", async () => {
  // Behind a door that shuts before the first visitor, tells the second, who speaks plain HTTP, what
  // Go's servers of https tell him, and then leads to the registry.
  await using registry = new FaultyRegistry(undefined, "unverified https");
  using door = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let visitors = 0;
  const pipes: Promise<unknown>[] = [];
  const done = (async () => {
    for await (const visitor of door) {
      if (++visitors <= 2) {
        const wrong = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nhttp to https";
        if (visitors === 2) await visitor.write(new TextEncoder().encode(wrong));
        visitor.close();
        continue;
      }
      const [hostname = "", port] = registry.host.split(":");
      const inner = await Deno.connect({ hostname, port: Number(port) });
      pipes.push(
        visitor.readable.pipeTo(inner.writable).catch(() => {}),
        inner.readable.pipeTo(visitor.writable).catch(() => {}),
      );
    }
  })();
  const descriptor = registry.blob(CONTENT);
  {
    const host = `127.0.0.1:${door.addr.port}`;
    await using client = clientFor({ host, wire: registry.wire } as FaultyRegistry);
    assertEquals(await collect(client.blob(descriptor)), CONTENT);
  }
  door.close();
  await done;
  await Promise.all(pipes);
});
