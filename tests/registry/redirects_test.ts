import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Credentials } from "../../src/registry/credentials.ts";
import { failure, FaultyRegistry, type Wire } from "./faulty_registry.ts";
import { clientFor, collect, failureOf, insecureEntry, pattern, reaching } from "./harness.ts";

const CONTENT = pattern(5000);
const USER = Credentials.password("alice", "s3cret");
const BASIC = `Basic ${btoa("alice:s3cret")}`;

/** A registry that wants credentials and sends whoever wants a blob elsewhere. */
function redirecting(location: (target: string) => string, wire: Wire = "http", status = 307) {
  return new FaultyRegistry(({ target, headers }) => {
    if (headers.get("authorization") !== BASIC) {
      return failure(401, "UNAUTHORIZED", "no", { "www-authenticate": 'Basic realm="x"' });
    }
    if (!target.includes("/blobs/")) return undefined;
    return new Response(null, { status, headers: { location: location(target) } });
  }, wire);
}

for (const wire of ["http", "https", "unverified https"] as const) {
  Deno.test(`credentials do not follow a blob to another host, over ${wire}`, async () => {
    // The same address under another name, and under another port.
    for (const name of ["127.0.0.1", "localhost"]) {
      await using storage = new FaultyRegistry(() => new Response(CONTENT), wire, name);
      const scheme = wire === "http" ? "http" : "https";
      const place = `${scheme}://${storage.host}/bucket/x?signature=private`;
      await using registry = redirecting(() => place, wire);
      const settings = reaching(registry);
      const registries = wire === "https"
        ? []
        : [...settings.registries, insecureEntry(storage.host)];
      await using client = clientFor(registry, { ...settings, registries, credentials: USER });
      const descriptor = registry.blob(CONTENT);
      assertEquals(await collect(client.blob(descriptor)), CONTENT);
      assertEquals(storage.log, ["GET /bucket/x?signature=private"]);
      assertEquals(storage.asked[0]?.headers.get("authorization"), null);
    }
  });
}

Deno.test("credentials stay with a redirect to the same origin", async () => {
  await using registry = redirecting((target) => target.replace("/blobs/", "/data/"));
  await using client = clientFor(registry, { credentials: USER });
  const descriptor = registry.blob(CONTENT);
  const usual = registry.handler;
  registry.handler = (asked) =>
    asked.target.includes("/data/") ? new Response(CONTENT) : usual(asked);
  assertEquals(await collect(client.blob(descriptor)), CONTENT);
  assertEquals(registry.asked.at(-1)?.headers.get("authorization"), BASIC);
});

Deno.test("a resumed blob asks the registry anew: signatures of storage run out", async () => {
  await using storage = new FaultyRegistry(({ headers }) => {
    const start = Number(/\d+/.exec(headers.get("range") ?? "0")?.[0]);
    if (start === 0) {
      const parts = [CONTENT.slice(0, 1000)];
      return new Response(
        new ReadableStream({
          pull(controller) {
            const part = parts.shift();
            if (part) controller.enqueue(part);
            else setTimeout(() => controller.error(new Error("broken")), 20);
          },
        }),
      );
    }
    const range = `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}`;
    return new Response(CONTENT.slice(start), { status: 206, headers: { "content-range": range } });
  });
  let signature = 0;
  await using registry = redirecting(() => `http://${storage.host}/x?signature=${++signature}`);
  const registries = [insecureEntry(registry.host), insecureEntry(storage.host)];
  await using client = clientFor(registry, { registries, credentials: USER });
  assertEquals(await collect(client.blob(registry.blob(CONTENT))), CONTENT);
  assertEquals(storage.log, ["GET /x?signature=1", "GET /x?signature=2"]);
});

for (
  const [name, location, state] of [
    ["a file", "file:///etc/passwd", 'leads to a URL of "file:"'],
    ["data", "data:text/plain,x", 'leads to a URL of "data:"'],
    ["a user", "http://alice:pw@localhost/", "a URL with a user in it"],
    ["what is no URL", "http://[", "what is no URL"],
    ["a host that was not named insecure", "http://localhost:9/x?sig=1", "not encrypted"],
  ] as const
) {
  Deno.test(`a redirect to ${name} is refused`, async () => {
    await using registry = redirecting(() => location);
    await using client = clientFor(registry, { credentials: USER });
    const { code, message } = await failureOf(() => collect(client.blob(registry.blob(CONTENT))));
    assertEquals(code, "registry-invalid");
    assertStringIncludes(message, state);
    assert(!message.includes("pw@") && !message.includes("sig=1"), message);
  });
}

Deno.test("a registry over https does not lead to a host without it", async () => {
  await using storage = new FaultyRegistry(() => new Response(CONTENT));
  await using registry = redirecting(() => `http://${storage.host}/x`, "https");
  await using client = clientFor(registry, { credentials: USER });
  const { code, message } = await failureOf(() => collect(client.blob(registry.blob(CONTENT))));
  assertEquals(code, "registry-invalid");
  assertStringIncludes(message, "not encrypted");
  assertEquals(storage.asked.length, 0);
});

Deno.test("redirects have an end", async () => {
  let hops = 0;
  await using registry = redirecting((target) => `${target.split("?")[0]}?hop=${++hops}`);
  await using client = clientFor(registry, { credentials: USER });
  const { code, message } = await failureOf(() => collect(client.blob(registry.blob(CONTENT))));
  assertEquals([code, hops], ["registry-invalid", 11]);
  assertStringIncludes(message, "more than 10 redirects");
});

Deno.test("a redirect without a Location is refused", async () => {
  await using registry = new FaultyRegistry(({ target }) =>
    target.includes("/blobs/") ? new Response(null, { status: 302 }) : undefined
  );
  await using client = clientFor(registry);
  const { message } = await failureOf(() => collect(client.blob(registry.blob(CONTENT))));
  assertStringIncludes(message, "a redirect without a Location");
});

Deno.test("what is written is not redirected but by 307 and 308", async () => {
  await using registry = new FaultyRegistry(({ method }) =>
    method === "POST" ? new Response(null, { status: 302, headers: { location: "/x" } }) : undefined
  );
  await using client = clientFor(registry);
  const descriptor = registry.blob(CONTENT);
  registry.blobs.clear();
  const { code, message } = await failureOf(() =>
    client.uploadBlob(descriptor, () => ReadableStream.from([CONTENT]))
  );
  assertEquals(code, "registry-invalid");
  assertStringIncludes(message, "a redirect (302) of a POST");
});

Deno.test("storage that refuses is named, without its signature", async () => {
  await using storage = new FaultyRegistry(() => new Response("<Error>expired", { status: 403 }));
  await using registry = redirecting(() => `http://${storage.host}/bucket/x?signature=private`);
  const registries = [insecureEntry(registry.host), insecureEntry(storage.host)];
  await using client = clientFor(registry, { registries, credentials: USER });
  const { code, message } = await failureOf(() => collect(client.blob(registry.blob(CONTENT))));
  assertEquals(code, "unauthorized");
  assertStringIncludes(message, `GET http://${storage.host}/bucket/x: 403`);
  assert(!message.includes("private"), message);
});
