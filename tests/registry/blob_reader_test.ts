import { gzipSync } from "node:zlib";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { broken, endless, FaultyRegistry, type Handler, type Wire } from "./faulty_registry.ts";
import { assertDamaged, clientFor, collect, failureOf, pattern, TestClock } from "./harness.ts";

const CONTENT = pattern(300_000);

/** Reads CONTENT through a handler for its requests. */
async function read(handler: Handler, announced = CONTENT.length, wire: Wire = "http") {
  const clock = new TestClock();
  const ofBlobs: Handler = (asked) => asked.target.includes("/blobs/") ? handler(asked) : undefined;
  await using registry = new FaultyRegistry(ofBlobs, wire);
  await using client = clientFor(registry, {}, clock.timing);
  const descriptor = { ...registry.blob(CONTENT), size: announced };
  const ranges = () =>
    registry.asked.filter(({ target }) => target.includes("/blobs/")).map(({ headers }) =>
      headers.get("range")
    );
  try {
    return { bytes: await collect(client.blob(descriptor)), ranges: ranges(), clock };
  } catch (error) {
    return { error, ranges: ranges(), clock };
  }
}

/** A handler that breaks the first `times` answers after `length` bytes. */
function breaking(times: number, length: number): Handler {
  let broke = 0;
  return ({ headers }) => {
    if (broke++ >= times) return undefined;
    const start = Number(/\d+/.exec(headers.get("range") ?? "0")?.[0]);
    const range = `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}`;
    return broken(
      CONTENT.slice(start, start + length),
      start > 0 ? 206 : 200,
      start > 0 ? { "content-range": range } : {},
    );
  };
}

Deno.test("a blob comes as it is", async () => {
  const { bytes, ranges } = await read(() => undefined);
  assertEquals(bytes, CONTENT);
  assertEquals(ranges, [null]);
});

for (const wire of ["http", "https", "unverified https"] as const) {
  Deno.test(`a blob goes on at the byte where the connection broke, over ${wire}`, async () => {
    const { bytes, ranges, clock } = await read(breaking(3, 50_000), CONTENT.length, wire);
    assertEquals(bytes, CONTENT);
    assertEquals(ranges, [null, "bytes=50000-", "bytes=100000-", "bytes=150000-"]);
    assertEquals(clock.waits, [500, 1000, 2000]);
  });

  Deno.test(`an endless blob ends at its size, over ${wire}`, async () => {
    const { error } = await read(() => endless(new Uint8Array(65536)), CONTENT.length, wire);
    assertEquals((await failureOf(() => Promise.reject(error))).code, "size-mismatch");
  });

  Deno.test(`a blob with a content-encoding comes as it is, not decoded, over ${wire}`, async () => {
    const zipped = new Uint8Array(gzipSync(CONTENT));
    const headers = { "content-encoding": "gzip" };
    const answer = () => new Response(zipped, { headers });
    assertEquals((await read(answer, zipped.length, wire)).bytes, zipped);
    // And what a proxy compresses on its own does not have the length.
    const { error } = await read(answer, CONTENT.length, wire);
    assertEquals((await failureOf(() => Promise.reject(error))).code, "size-mismatch");
  });

  Deno.test(`an abort ends a blob, and is not tried again, over ${wire}`, async () => {
    const content: Handler = ({ target }) =>
      target.includes("/blobs/") ? endless(new Uint8Array(1000)) : undefined;
    await using registry = new FaultyRegistry(content, wire);
    await using client = clientFor(registry);
    const controller = new AbortController();
    const descriptor = { ...registry.blob(CONTENT), size: 1e9 };
    const { code } = await failureOf(async () => {
      for await (const _ of client.blob(descriptor, controller.signal)) controller.abort();
    });
    assertEquals(code, "interrupted");
    assertEquals(registry.log.filter((line) => line.includes("/blobs/")).length, 1);
  });
}

Deno.test("a server that does not know Range sends what is there already, which is left out", async () => {
  let broke = false;
  const { bytes, ranges } = await read(() => {
    if (broke) return new Response(CONTENT);
    broke = true;
    return broken(CONTENT.slice(0, 70_001));
  });
  assertEquals(bytes, CONTENT);
  assertEquals(ranges, [null, "bytes=70001-"]);
});

Deno.test("a blob that breaks again and again is given up", async () => {
  const { error, ranges, clock } = await read(breaking(100, 10));
  const { code, message } = await failureOf(() => Promise.reject(error));
  assertEquals(code, "unreachable");
  assertStringIncludes(message, "GET /v2/team/app/blobs/sha256:");
  assertStringIncludes(message, "tried 5 times");
  assertEquals(ranges.length, 5);
  assertEquals(clock.waits, [500, 1000, 2000, 4000]);
});

for (
  const [name, range] of [
    ["another start", "bytes 0-299999/300000"],
    ["another end", "bytes 100-200/300000"],
    ["another length", "bytes 100-299999/400000"],
    ["no numbers", "bytes x"],
    ["nothing", ""],
  ] as const
) {
  Deno.test(`a Content-Range with ${name} is refused`, async () => {
    let broke = false;
    const { error } = await read(() => {
      const headers: Record<string, string> = range === "" ? {} : { "content-range": range };
      if (broke) return new Response(CONTENT.slice(100), { status: 206, headers });
      broke = true;
      return broken(CONTENT.slice(0, 100));
    });
    const { code, message } = await failureOf(() => Promise.reject(error));
    assertEquals(code, "registry-invalid");
    assertStringIncludes(message, "bytes 100-299999 were asked for");
  });
}

Deno.test("a partial answer that nobody asked for is refused", async () => {
  const { error } = await read(() =>
    new Response(CONTENT, { status: 206, headers: { "content-range": "bytes 0-299999/300000" } })
  );
  assertEquals((await failureOf(() => Promise.reject(error))).code, "registry-invalid");
});

for (const [name, size] of [["longer", 200_000], ["shorter", 400_000]] as const) {
  Deno.test(`a blob that is ${name} than its descriptor says is refused`, async () => {
    // Once by its content-length, once without one.
    for (const answer of [() => new Response(CONTENT), () => new Response(stream(CONTENT))]) {
      const { error, ranges } = await read(answer, size);
      const failure = await failureOf(() => Promise.reject(error));
      assertEquals([failure.code, failure.data.size], ["size-mismatch", size]);
      assertDamaged(failure, /^GET \/v2\/team\/app\/blobs\/sha256:/);
      assertEquals(ranges.length, 1);
    }
  });
}

Deno.test("not a byte beyond the size is handed on", async () => {
  await using registry = new FaultyRegistry(() => new Response(stream(CONTENT)));
  await using client = clientFor(registry);
  let received = 0;
  await failureOf(async () => {
    const descriptor = { ...registry.blob(CONTENT), size: 1000 };
    for await (const chunk of client.blob(descriptor)) received += chunk.length;
  });
  assert(received <= 1000, `${received}`);
});

Deno.test("identity is asked for", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  await collect(client.blob(registry.blob(CONTENT)));
  assertEquals(registry.asked.at(-1)?.headers.get("accept-encoding"), "identity");
});

Deno.test("a blob that falls silent is tried again", async () => {
  const clock = new TestClock();
  const timing = { ...clock.timing, idle: 100 };
  let asked = 0;
  await using registry = new FaultyRegistry(({ target }) => {
    if (!target.includes("/blobs/") || asked++ > 0) return undefined;
    return new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(CONTENT.slice(0, 1000)) }),
    );
  });
  await using client = clientFor(registry, {}, timing);
  assertEquals(await collect(client.blob(registry.blob(CONTENT))), CONTENT);
  assertEquals(registry.asked.at(-1)?.headers.get("range"), "bytes=1000-");
});

Deno.test("leaving a blob in the middle leaves nothing open", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  for await (const _ of client.blob(registry.blob(pattern(3_000_000)))) break;
});

Deno.test("an empty blob is empty", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  assertEquals(await collect(client.blob(registry.blob(new Uint8Array()))), new Uint8Array());
});

/** A body without a length. */
function stream(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return ReadableStream.from([bytes]) as ReadableStream<Uint8Array>;
}
