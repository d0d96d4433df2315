import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import type { UploadOptions } from "../../src/registry/upload.ts";
import { type Asked, failure, FaultyRegistry, type Handler, type Wire } from "./faulty_registry.ts";
import { clientFor, failureOf, pattern, TestClock } from "./harness.ts";

const CONTENT = pattern(100_000);

/** The registry of the upload that is under way, for its handler. */
let current: FaultyRegistry | undefined;

/** The content in odd pieces. */
async function* pieces(bytes = CONTENT): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 7_777) {
    await Promise.resolve();
    yield bytes.slice(at, at + 7_777);
  }
}

/** Content that breaks. */
async function* failing(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(CONTENT.slice(0, 50_000));
  throw new RangeError("the disk is gone");
}

/** Uploads CONTENT; what there is afterwards. */
async function upload(
  handler: Handler = () => undefined,
  options: UploadOptions = {},
  wire: Wire = "http",
  content: () => AsyncIterable<Uint8Array> = pieces,
) {
  await using registry = new FaultyRegistry(handler, wire);
  current = registry;
  const clock = new TestClock();
  await using client = clientFor(registry, {}, clock.timing);
  const descriptor: Descriptor = registry.blob(CONTENT);
  registry.blobs.clear();
  let outcome: string | undefined;
  let error: unknown;
  try {
    outcome = await client.uploadBlob(descriptor, content, options);
  } catch (thrown) {
    error = thrown;
  }
  const log = registry.log.filter((line) => !line.endsWith(" /v2/")).map((line) =>
    line.replace("/v2/team/app/blobs/", "").replace(/sha256(:|%3A)\w+/g, "DIGEST")
  );
  const stored = registry.blobs.get(descriptor.digest);
  return { outcome, error, log, waits: clock.waits, stored, registry };
}

for (const wire of ["http", "https", "unverified https"] as const) {
  Deno.test(`a blob goes in one request of a known length, over ${wire}`, async () => {
    const { outcome, error, log, stored, registry } = await upload(undefined, {}, wire);
    assertEquals([outcome, error], ["uploaded", undefined]);
    assertEquals(stored, CONTENT);
    assertEquals(log, [
      "HEAD DIGEST",
      "POST uploads/",
      "PUT uploads/s1?_state=secret&digest=DIGEST",
    ]);
    const { headers } = registry.asked.at(-1)!;
    assertEquals(headers.get("content-length"), `${CONTENT.length}`);
    assertEquals(headers.get("transfer-encoding"), null);
    assertEquals(headers.get("content-type"), "application/octet-stream");
  });

  Deno.test(`content of another length than announced is not sent as if it were, over ${wire}`, async () => {
    for (const length of [99_999, 100_001]) {
      const content = () => pieces(pattern(length));
      const { error, stored } = await upload(undefined, {}, wire, content);
      assertEquals((await failureOf(() => Promise.reject(error))).code, "size-mismatch");
      assertEquals(stored, undefined);
    }
  });

  Deno.test(`a fault of the content is reported, and the upload given up, over ${wire}`, async () => {
    const { error, log, registry } = await upload(undefined, {}, wire, failing);
    assert(error instanceof RangeError, Deno.inspect(error));
    assertEquals(log.at(-1), "DELETE uploads/s1?_state=secret");
    assertEquals(registry.uploads.size, 0);
  });
}

Deno.test("a blob that is there is not uploaded", async () => {
  const { outcome, log } = await upload(({ method }) =>
    method === "HEAD" ? new Response(null) : undefined
  );
  assertEquals([outcome, log], ["exists", ["HEAD DIGEST"]]);
});

Deno.test("a blob of another repository is mounted", async () => {
  const { outcome, log } = await upload(
    ({ method }) => method === "POST" ? new Response(null, { status: 201 }) : undefined,
    { mountFrom: "base/os" },
  );
  assertEquals(outcome, "mounted");
  assertEquals(log, ["HEAD DIGEST", "POST uploads/?mount=DIGEST&from=base%2Fos"]);
});

Deno.test("a mount that opens a session instead goes on in it", async () => {
  const { outcome, log, stored } = await upload(undefined, { mountFrom: "base/os" });
  assertEquals([outcome, stored?.length], ["uploaded", CONTENT.length]);
  assertEquals(log.length, 3);
});

for (const status of [400, 401, 403, 404, 405, 416, 422, 429, 500, 501, 503, 504]) {
  Deno.test(`a mount that is refused by ${status} is an upload, at once`, async () => {
    const refused = ({ target }: Asked) =>
      target.includes("mount=") ? failure(status, "DENIED", "no") : undefined;
    const { outcome, log, waits } = await upload(refused, { mountFrom: "base/os" });
    assertEquals([outcome, log.length, waits], ["uploaded", 4, []]);
  });
}

Deno.test("a mount that leads nowhere is an upload, at once", async () => {
  // One that may not be used, and one where nobody listens.
  for (const location of ["http://elsewhere.example/", "https://127.0.0.1:1/"]) {
    const { outcome, waits } = await upload(
      ({ target }) =>
        target.includes("mount=")
          ? new Response(null, { status: 307, headers: { location } })
          : undefined,
      { mountFrom: "base/os" },
    );
    assertEquals([outcome, waits], ["uploaded", []]);
  }
});

Deno.test("a mount that is interrupted is no upload", async () => {
  const ended = new AbortController();
  const { error, log } = await upload(({ target }) => {
    if (!target.includes("mount=")) return undefined;
    ended.abort();
    return failure(503, "UNAVAILABLE", "no");
  }, { mountFrom: "base/os", signal: ended.signal });
  assertEquals((await failureOf(() => Promise.reject(error))).code, "interrupted");
  assertEquals(log.length, 2);
});

Deno.test("chunks are sent one after the other", async () => {
  const { outcome, stored, registry, log } = await upload(undefined, { chunkBytes: 40_000 });
  assertEquals(outcome, "uploaded");
  assertEquals(stored, CONTENT);
  const patches = registry.asked.filter(({ method }) => method === "PATCH");
  assertEquals(patches.map(({ headers }) => headers.get("content-range")), [
    "0-39999",
    "40000-79999",
    "80000-99999",
  ]);
  assertEquals(log.at(-1), "PUT uploads/s1?_state=secret&digest=DIGEST");
});

Deno.test("a registry may ask for chunks, and of what length", async () => {
  const { stored, registry } = await upload(({ method }) => {
    if (method !== "POST") return undefined;
    current!.uploads.set("own", new Uint8Array());
    const location = "/v2/team/app/blobs/uploads/own";
    return new Response(null, {
      status: 202,
      headers: { location, "oci-chunk-min-length": "60000" },
    });
  }, { chunkBytes: 10 });
  const patches = registry.asked.filter(({ method }) => method === "PATCH");
  assertEquals(patches.map(({ body }) => body.length), [60_000, 40_000]);
  assertEquals(stored, CONTENT);
});

Deno.test("a minimum that does not fit into memory is refused", async () => {
  for (const length of ["1e12", "-1", "x"]) {
    const { error } = await upload(({ method }) =>
      method === "POST"
        ? new Response(null, {
          status: 202,
          headers: { location: "/x", "oci-chunk-min-length": length },
        })
        : undefined
    );
    assertEquals((await failureOf(() => Promise.reject(error))).code, "registry-invalid");
  }
});

Deno.test("a request that is too long becomes chunks", async () => {
  const { outcome, stored, registry } = await upload(({ method, body }) =>
    method === "PUT" && body.length > 50_000 ? new Response(null, { status: 413 }) : undefined
  );
  assertEquals(outcome, "uploaded");
  assertEquals(stored, CONTENT);
  assert(registry.log.some((line) => line.startsWith("PATCH ")));
});

Deno.test("a chunk that fails goes on where the registry says that it is", async () => {
  let failed = false;
  const { outcome, stored, registry } = await upload(({ method, body, headers }) => {
    if (method !== "PATCH" || failed || headers.get("content-range") !== "40000-79999") return;
    failed = true;
    // It has taken a part, and then its disk was busy.
    const had = current!.uploads.get("s1")!;
    current!.uploads.set("s1", new Uint8Array([...had, ...body.slice(0, 1234)]));
    return new Response(null, { status: 503 });
  }, { chunkBytes: 40_000 });
  assertEquals(outcome, "uploaded");
  assertEquals(stored, CONTENT);
  const patches = registry.asked.filter(({ method }) => method === "PATCH");
  assertEquals(patches.map(({ headers }) => headers.get("content-range")), [
    "0-39999",
    "40000-79999",
    "41234-79999",
    "80000-99999",
  ]);
});

Deno.test("a session that is lost begins anew", async () => {
  let failed = false;
  const { outcome, stored, log } = await upload(({ method, headers }) => {
    if (method !== "PATCH" || failed || headers.get("content-range") !== "40000-79999") return;
    failed = true;
    current!.uploads.clear();
    return new Response(null, { status: 500 });
  }, { chunkBytes: 40_000 });
  assertEquals(outcome, "uploaded");
  assertEquals(stored, CONTENT);
  assertEquals(log.filter((line) => line === "POST uploads/").length, 2);
});

Deno.test("a request that fails begins a new session", async () => {
  let failures = 0;
  const { outcome, stored, log } = await upload(({ method }) =>
    method === "PUT" && failures++ < 2 ? new Response(null, { status: 500 }) : undefined
  );
  assertEquals([outcome, failures], ["uploaded", 3]);
  assertEquals(stored, CONTENT);
  assertEquals(log.filter((line) => line === "POST uploads/").length, 3);
});

Deno.test("an upload that is interrupted is given up where it was to go on", async () => {
  const ended = new AbortController();
  let patches = 0;
  const { error, log } = await upload(({ method }) => {
    if (method !== "PATCH") return undefined;
    if (++patches === 2) ended.abort();
    const location = `/v2/team/app/blobs/uploads/s1?after=${patches}`;
    return new Response(null, { status: 202, headers: { location } });
  }, { chunkBytes: 10_000, signal: ended.signal });
  assertEquals((await failureOf(() => Promise.reject(error))).code, "interrupted");
  assertEquals(log.at(-1), "DELETE uploads/s1?after=1");
});

Deno.test("whatever becomes of giving an upload up, it is the first error that counts", async () => {
  const location = "https://127.0.0.1:1/";
  for (
    const answer of [
      () => failure(405, "UNSUPPORTED", "no"),
      () => failure(503, "UNAVAILABLE", "no", { "retry-after": "1" }),
      () => new Response(null, { status: 307, headers: { location } }),
    ]
  ) {
    const refusing = ({ method }: Asked) => method === "DELETE" ? answer() : undefined;
    const { error, log } = await upload(refusing, {}, "http", failing);
    assert(error instanceof RangeError, Deno.inspect(error));
    assert(log.some((line) => line.startsWith("DELETE")));
  }
});

Deno.test("giving an upload up is not waited for long", async () => {
  const silence = Promise.withResolvers<Response>();
  await using registry = new FaultyRegistry(({ method }) =>
    method === "DELETE" ? silence.promise : undefined
  );
  await using client = clientFor(registry);
  const descriptor = registry.blob(CONTENT);
  registry.blobs.clear();
  const begun = performance.now();
  const error = await client.uploadBlob(descriptor, failing).catch((thrown: unknown) => thrown);
  const took = performance.now() - begun;
  silence.resolve(new Response());
  assert(error instanceof RangeError, Deno.inspect(error));
  assert(took < 10_000, `${took} ms`);
  assertEquals(registry.asked.at(-1)?.method, "DELETE");
});

Deno.test("what a failed try has left is given up once the next has made it", async () => {
  let failures = 0;
  const { outcome, log, registry } = await upload(({ method }) =>
    method === "PUT" && failures++ < 1 ? new Response(null, { status: 500 }) : undefined
  );
  assertEquals([outcome, registry.uploads.size], ["uploaded", 0]);
  assertEquals(log.filter((line) => line.startsWith("DELETE")), [
    "DELETE uploads/s1?_state=secret",
  ]);
});

Deno.test("a digest that the registry does not find is told as such", async () => {
  const { error } = await upload(undefined, {}, "http", () => pieces(pattern(100_000, 7)));
  const { code, message } = await failureOf(() => Promise.reject(error));
  assertEquals(code, "digest-mismatch");
  assertStringIncludes(message, "400: DIGEST_INVALID: provided digest did not match");
  assert(!message.includes("_state"), message);
});

Deno.test("a registry that takes a blob as another is not believed", async () => {
  const headers = { "docker-content-digest": `sha256:${"0".repeat(64)}` };
  const { error } = await upload(({ method }) =>
    method === "PUT" ? new Response(null, { status: 201, headers }) : undefined
  );
  assertEquals((await failureOf(() => Promise.reject(error))).code, "registry-invalid");
});

for (const location of [undefined, "file:///tmp/x", "http://u:p@localhost/x", "http://["]) {
  Deno.test(`an upload does not go to ${location}`, async () => {
    const headers: Record<string, string> = location === undefined ? {} : { location };
    const { error, log } = await upload(({ method }) =>
      method === "POST" ? new Response(null, { status: 202, headers }) : undefined
    );
    assertEquals((await failureOf(() => Promise.reject(error))).code, "registry-invalid");
    assertEquals(log.at(-1), "POST uploads/");
  });
}

Deno.test("a manifest is written under its tag, and its digest compared", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  const bytes = new TextEncoder().encode("{}");
  const { digest, subjectListed } = await client.putManifest("v1", bytes, "application/x");
  assertEquals(subjectListed, false);
  assertEquals(registry.manifests.get("v1"), { bytes, type: "application/x" });
  assertEquals((await client.putManifest(digest, bytes, "application/x")).digest, digest);
  const other = `sha256:${"0".repeat(64)}`;
  const wrong = await failureOf(() => client.putManifest(other, bytes, "application/x"));
  assertEquals(wrong.code, "digest-mismatch");
  registry.handler = ({ method }) =>
    method === "PUT"
      ? new Response(null, { status: 201, headers: { "docker-content-digest": other } })
      : undefined;
  const lie = await failureOf(() => client.putManifest("v1", bytes, "application/x"));
  assertEquals(lie.code, "registry-invalid");
});
