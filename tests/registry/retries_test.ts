import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseRetryAfter } from "../../src/registry/timing.ts";
import { failure, FaultyRegistry, type Handler } from "./faulty_registry.ts";
import { clientFor, failureOf, settingsFor, TestClock } from "./harness.ts";

/** Reads a manifest from a registry that answers `times` times with `answer`. */
async function ask(times: number, answer: (clock: TestClock) => Response) {
  const clock = new TestClock();
  let asked = 0;
  const handler: Handler = ({ target }) =>
    target.includes("/manifests/") && asked++ < times ? answer(clock) : undefined;
  await using registry = new FaultyRegistry(handler);
  await using client = clientFor(registry, {}, clock.timing);
  registry.manifest("latest", '{"manifests":[]}');
  let error: unknown;
  await client.manifest("latest").catch((thrown) => error = thrown);
  return { asked, error, waits: clock.waits };
}

for (const status of [408, 429, 500, 502, 503, 504]) {
  Deno.test(`${status} is tried again, with growing waits, and not for ever`, async () => {
    const answer = () => new Response("busy", { status });
    const good = await ask(2, answer);
    assertEquals([good.asked, good.error, good.waits], [3, undefined, [500, 1000]]);
    const bad = await ask(100, answer);
    assertEquals([bad.asked, bad.waits], [5, [500, 1000, 2000, 4000]]);
    const { code, message, data } = await failureOf(() => Promise.reject(bad.error));
    assertEquals([code, data.status], ["unreachable", status]);
    assertStringIncludes(message, `: ${status}: busy`);
    assertStringIncludes(message, "(tried 5 times)");
  });
}

for (const status of [400, 402, 403, 404, 405, 410, 416]) {
  Deno.test(`${status} is final`, async () => {
    const { asked, error } = await ask(100, () => failure(status, "X", "no"));
    assertEquals(asked, 1);
    const { code } = await failureOf(() => Promise.reject(error));
    const expected = { 403: "unauthorized", 404: "not-found" }[status] ?? "registry-invalid";
    assertEquals(code, expected);
  });
}

Deno.test("Retry-After is waited for, in seconds and as a date", async () => {
  const seconds = await ask(
    1,
    () => new Response(null, { status: 429, headers: { "retry-after": "7" } }),
  );
  assertEquals([seconds.waits, seconds.error], [[7000], undefined]);
  const date = await ask(1, (clock) => {
    const at = new Date(clock.time + 9000).toUTCString();
    return new Response(null, { status: 503, headers: { "retry-after": at } });
  });
  assertEquals([date.waits, date.error], [[9000], undefined]);
});

Deno.test("a Retry-After of hours is told, not waited for", async () => {
  const { asked, waits, error } = await ask(
    9,
    () => new Response(null, { status: 429, headers: { "retry-after": "3600" } }),
  );
  assertEquals([asked, waits], [1, []]);
  const { code, message } = await failureOf(() => Promise.reject(error));
  assertEquals(code, "unreachable");
  assertStringIncludes(message, "it asks to come back in 3600 s");
});

Deno.test("what Retry-After may say", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  assertEquals(parseRetryAfter("0", now), 0);
  assertEquals(parseRetryAfter(" 12 ", now), 12_000);
  assertEquals(parseRetryAfter("Thu, 01 Jan 2026 00:00:30 GMT", now), 30_000);
  assertEquals(parseRetryAfter("Thu, 01 Jan 2025 00:00:30 GMT", now), 0);
  for (const bad of [null, "", "-1", "1.5", "soon", "1e3"]) {
    assertEquals(parseRetryAfter(bad, now), null, `${bad}`);
  }
});

Deno.test("nobody at the port is unreachable, after some tries", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const host = `127.0.0.1:${listener.addr.port}`;
  listener.close();
  const clock = new TestClock();
  const registry = { host, wire: "http" } as FaultyRegistry;
  await using client = clientFor(registry, {}, clock.timing);
  const { code, message } = await failureOf(() => client.manifest("latest"));
  assertEquals(code, "unreachable");
  assertStringIncludes(message, `of ${host}/team/app: GET `);
  assertStringIncludes(message, "Connection refused");
  assertEquals(clock.waits.length, 4);
});

Deno.test("a registry that breaks off before it answers is tried again", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let connections = 0;
  const done = (async () => {
    for await (const connection of listener) {
      connections++;
      connection.close();
    }
  })();
  const registry = { host: `127.0.0.1:${listener.addr.port}`, wire: "http" } as FaultyRegistry;
  {
    await using client = clientFor(registry);
    assertEquals((await failureOf(() => client.manifest("latest"))).code, "unreachable");
  }
  listener.close();
  await done;
  // https and then http, five times.
  assert(connections >= 10, `${connections}`);
});

/** A server that answers whatever is asked with these bytes, and the host of it. */
function raw(text: string) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = (async () => {
    for await (const connection of listener) {
      try {
        await connection.read(new Uint8Array(65536));
        await new Blob([text]).stream().pipeTo(connection.writable);
      } catch {
        // The client may go at any time.
      }
    }
  })();
  return {
    registry: { host: `127.0.0.1:${listener.addr.port}`, wire: "http" } as FaultyRegistry,
    async [Symbol.asyncDispose]() {
      listener.close();
      await done;
    },
  };
}

for (
  const [name, text] of [
    ["headers without end", `HTTP/1.1 200 OK\r\nX: ${"a".repeat(2_000_000)}`],
    ["a thousand headers", `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(1000)}\r\n`],
    ["no HTTP", "220 mail.example ESMTP\r\n"],
    ["half an answer", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"],
  ] as const
) {
  Deno.test(`a server that answers with ${name} is unreachable`, async () => {
    await using server = raw(text);
    await using client = clientFor(server.registry);
    assertEquals((await failureOf(() => client.manifest("latest"))).code, "unreachable");
  });
}

Deno.test("errors without end, of any size, do not hold us up", async () => {
  for (const chunk of [new Uint8Array(65536), new Uint8Array(1)]) {
    const { error } = await ask(100, () => {
      let timer: ReturnType<typeof setInterval>;
      return new Response(
        new ReadableStream({
          start(to) {
            timer = setInterval(() => to.enqueue(chunk), 1);
          },
          cancel: () => clearInterval(timer),
        }),
        { status: 400 },
      );
    });
    assertEquals((await failureOf(() => Promise.reject(error))).code, "registry-invalid");
  }
});

Deno.test("an abort ends the waiting", async () => {
  await using registry = new FaultyRegistry(({ target }) =>
    target.includes("/manifests/") ? new Response(null, { status: 503 }) : undefined
  );
  await using client = clientFor(registry, {}, {});
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  const start = performance.now();
  const failed = await failureOf(() => client.manifest("latest", undefined, controller.signal));
  assertEquals(failed.code, "interrupted");
  assert(performance.now() - start < 400);
});

Deno.test("silence is not waited for", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  await using registry = new FaultyRegistry(({ target }) =>
    target.includes("/manifests/") ? promise : undefined
  );
  await using client = clientFor(registry, {}, { idle: 50, attempts: 2, baseDelay: 1 });
  const { code, message } = await failureOf(() => client.manifest("latest"));
  resolve(new Response());
  assertEquals(code, "unreachable");
  assertStringIncludes(message, "no answer for 0.05 s");
});

for (const wire of ["https", "unverified https"] as const) {
  Deno.test(`a host that Deno may not reach asks for the flag, over ${wire}`, async () => {
    const registry = { host: "registry.invalid:5000", wire } as FaultyRegistry;
    const clock = new TestClock();
    const settings = settingsFor(wire === "https" ? [] : [registry.host]);
    await using client = clientFor(registry, settings, clock.timing);
    const { code, message, data } = await failureOf(() => client.manifest("latest"));
    assertEquals([code, data.flag], ["permission-missing", "--allow-net=registry.invalid:5000"]);
    assertStringIncludes(message, "--allow-net=registry.invalid:5000");
    assertEquals(clock.waits, []);
  });
}
