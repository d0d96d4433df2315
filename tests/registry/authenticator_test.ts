import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Credentials } from "../../src/registry/credentials.ts";
import { type Asked, broken, failure, FaultyRegistry } from "./faulty_registry.ts";
import { clientFor, collect, failureOf, pattern, TestClock } from "./harness.ts";

const CONTENT = pattern(2000);
const USER = Credentials.password("alice", "s3cret word");
const BASIC = `Basic ${btoa("alice:s3cret word")}`;

/** A registry that wants tokens of its own server, each good for `lifetime` seconds. */
class TokenRegistry extends FaultyRegistry {
  /** What the token server was asked. */
  readonly tokens: Asked[] = [];
  lifetime: number | undefined = 300;
  /** Tokens that the registry takes. */
  valid = new Set<string>();
  challenge = (realm: string) =>
    `Bearer realm="${realm}",service="test, service",scope="repository:team/app:pull"`;
  token = (_: Asked): Response | undefined => undefined;
  /** Answers who has a token. */
  answer = (_: Asked): Response | undefined => undefined;

  constructor() {
    super((asked) => this.#handle(asked));
  }

  #handle(asked: Asked): Response | undefined {
    if (asked.target.startsWith("/token")) {
      this.tokens.push(asked);
      const value = `token-${this.tokens.length}`;
      const refusal = this.token(asked);
      if (refusal !== undefined) return refusal;
      this.valid.add(value);
      return Response.json({
        token: value,
        ...(this.lifetime === undefined ? {} : { expires_in: this.lifetime }),
      });
    }
    const header = asked.headers.get("authorization") ?? "";
    if (this.valid.has(header.replace(/^Bearer /, ""))) return this.answer(asked);
    return failure(401, "UNAUTHORIZED", "authentication required", {
      "www-authenticate": this.challenge(`http://${this.host}/token?fixed=1`),
    });
  }
}

Deno.test("an anonymous token is fetched once, and used for everything of its scope", async () => {
  await using registry = new TokenRegistry();
  await using client = clientFor(registry);
  const descriptor = registry.blob(CONTENT);
  assertEquals(await collect(client.blob(descriptor)), CONTENT);
  await Promise.all([1, 2, 3].map(() => collect(client.blob(descriptor))));
  assertEquals(registry.tokens.length, 1);
  const [asked] = registry.tokens;
  const query = new URL(`http://x${asked?.target}`).searchParams;
  assertEquals(query.get("fixed"), "1");
  assertEquals(query.get("service"), "test, service");
  assertEquals(query.getAll("scope"), ["repository:team/app:pull"]);
  assertEquals(asked?.headers.get("authorization"), null);
});

Deno.test("many requests at a time share one token", async () => {
  await using registry = new TokenRegistry();
  await using client = clientFor(registry);
  const blobs = [1, 2, 3, 4, 5].map((seed) => registry.blob(pattern(1000, seed)));
  await Promise.all(blobs.map((blob) => collect(client.blob(blob))));
  assertEquals(registry.tokens.length, 1);
});

Deno.test("credentials go to the token server, not to the registry", async () => {
  await using registry = new TokenRegistry();
  await using client = clientFor(registry, { credentials: USER });
  await collect(client.blob(registry.blob(CONTENT)));
  assertEquals(registry.tokens[0]?.headers.get("authorization"), BASIC);
  assertStringIncludes(registry.tokens[0]?.target ?? "", "account=alice");
  for (const { target, headers } of registry.asked) {
    if (!target.startsWith("/token")) assert(headers.get("authorization") !== BASIC);
  }
});

Deno.test("an identity token is posted, and stands in no URL", async () => {
  await using registry = new TokenRegistry();
  const credentials = Credentials.identityToken("refresh-me");
  await using client = clientFor(registry, { credentials });
  await collect(client.blob(registry.blob(CONTENT)));
  const [asked] = registry.tokens;
  assertEquals([asked?.method, asked?.target], ["POST", "/token?fixed=1"]);
  const form = new URLSearchParams(new TextDecoder().decode(asked?.body));
  assertEquals(Object.fromEntries(form), {
    grant_type: "refresh_token",
    client_id: "layerfs",
    service: "test, service",
    refresh_token: "refresh-me",
    scope: "repository:team/app:pull",
  });
});

Deno.test("a token is not used beyond its lifetime", async () => {
  for (const [lifetime, seconds] of [[300, 300], [undefined, 60]] as const) {
    await using registry = new TokenRegistry();
    registry.lifetime = lifetime;
    const clock = new TestClock();
    await using client = clientFor(registry, {}, clock.timing);
    const descriptor = registry.blob(CONTENT);
    await collect(client.blob(descriptor));
    clock.time += (seconds - 10) * 1000;
    await collect(client.blob(descriptor));
    assertEquals(registry.tokens.length, 1);
    clock.time += 10_000;
    await collect(client.blob(descriptor));
    assertEquals(registry.tokens.length, 2);
  }
});

Deno.test("a token that the registry does not take any more is renewed", async () => {
  await using registry = new TokenRegistry();
  await using client = clientFor(registry);
  const descriptor = registry.blob(CONTENT);
  await collect(client.blob(descriptor));
  registry.valid.clear();
  assertEquals(await collect(client.blob(descriptor)), CONTENT);
  assertEquals(registry.tokens.length, 2);
});

Deno.test("a token that ends in mid-upload is renewed, and the content sent again", async () => {
  for (const how of [{}, { chunkBytes: 700 }]) {
    await using registry = new TokenRegistry();
    await using client = clientFor(registry);
    const descriptor = registry.blob(CONTENT);
    registry.blobs.clear();
    let begun = 0;
    const content = async function* () {
      begun++;
      yield await Promise.resolve(CONTENT.slice(0, 1000));
      if (begun === 1) registry.valid.clear();
      yield CONTENT.slice(1000);
    };
    assertEquals(await client.uploadBlob(descriptor, content, how), "uploaded");
    assertEquals(registry.blobs.get(descriptor.digest), CONTENT);
    assertEquals(registry.tokens.length, 2);
  }
});

Deno.test("a token that ends in mid-pull is renewed where the blob goes on", async () => {
  await using registry = new TokenRegistry();
  await using client = clientFor(registry);
  const descriptor = registry.blob(CONTENT);
  registry.answer = ({ target, headers }) => {
    if (!target.includes("/blobs/") || headers.has("range")) return undefined;
    registry.valid.clear();
    return broken(CONTENT.slice(0, 900));
  };
  assertEquals(await collect(client.blob(descriptor)), CONTENT);
  assertEquals(registry.tokens.length, 2);
});

Deno.test("a fresh token that the registry does not take is not renewed for ever", async () => {
  await using registry = new TokenRegistry();
  registry.valid = { has: () => false, add: () => {} } as unknown as Set<string>;
  await using client = clientFor(registry);
  const { code, message } = await failureOf(() => client.manifest("latest"));
  assertEquals(code, "unauthorized");
  assertStringIncludes(message, `Cannot read manifest "latest" of ${registry.host}/team/app`);
  assertStringIncludes(message, "GET /v2/team/app/manifests/latest: 401: UNAUTHORIZED: authent");
  assertStringIncludes(message, `layerfs login ${registry.host}`);
  assertEquals(registry.tokens.length, 1);
});

Deno.test("a scope that the registry asks for on top of ours is asked for", async () => {
  await using registry = new TokenRegistry();
  registry.challenge = (realm) =>
    `Bearer realm="${realm}",scope="repository:team/app:pull extra:x:y"`;
  await using client = clientFor(registry);
  await collect(client.blob(registry.blob(CONTENT)));
  const query = new URL(`http://x${registry.tokens[0]?.target}`).searchParams;
  assertEquals(query.getAll("scope"), ["repository:team/app:pull", "extra:x:y"]);
});

Deno.test("writing asks for push, a mount for pull of the other repository", async () => {
  await using registry = new TokenRegistry();
  await using client = clientFor(registry);
  registry.manifest("latest", "{}");
  const bytes = pattern(10);
  const descriptor = registry.blob(bytes);
  registry.blobs.clear();
  await client.uploadBlob(descriptor, () => ReadableStream.from([bytes]), { mountFrom: "other" });
  const scopes = registry.tokens.map(({ target }) =>
    new URL(`http://x${target}`).searchParams.getAll("scope")
  );
  assertEquals(scopes[0], ["repository:team/app:pull,push", "repository:team/app:pull"]);
  assert(scopes[1]?.includes("repository:other:pull"));
});

Deno.test("credentials that the token server refuses are told as such", async () => {
  await using registry = new TokenRegistry();
  registry.token = () =>
    Response.json({ details: `no ${BASIC} s3cret word here` }, { status: 401 });
  await using client = clientFor(registry, { credentials: USER });
  const { code, message } = await failureOf(() => client.manifest("latest"));
  assertEquals(code, "unauthorized");
  assertStringIncludes(message, "GET /token: 401: no Basic [secret] [secret] here");
  assertStringIncludes(message, 'the credentials of "alice" are wrong');
  assertEquals(registry.tokens.length, 1);
});

Deno.test("a busy token server is tried again", async () => {
  await using registry = new TokenRegistry();
  let refused = 0;
  registry.token = () => refused++ < 2 ? new Response("busy", { status: 503 }) : undefined;
  await using client = clientFor(registry);
  await collect(client.blob(registry.blob(CONTENT)));
  assertEquals(refused, 3);
});

for (
  const [name, answer] of [
    ["no token", () => Response.json({})],
    ["a token that is no string", () => Response.json({ token: 1 })],
    ["a token with a line break", () => Response.json({ token: "a\r\nx: y" })],
    ["a web page", () => new Response("<html>login", { headers: { "content-type": "text/html" } })],
    ["half a token", () => new Response('{"token":"very-secret')],
    ["too much", () => new Response(new Uint8Array(2_000_000))],
  ] as const
) {
  Deno.test(`a token server that answers with ${name} is refused`, async () => {
    await using registry = new TokenRegistry();
    registry.token = answer;
    await using client = clientFor(registry);
    const { code, message } = await failureOf(() => client.manifest("latest"));
    assertEquals(code, "registry-invalid");
    assert(!message.includes("very-secret"));
  });
}

for (
  const [realm, state] of [
    ["file:///etc/passwd", 'leads to a URL of "file:"'],
    ["data:application/json,{}", 'leads to a URL of "data:"'],
    ["https://user:pw@127.0.0.1/token", "a URL with a user in it"],
    ["http://", "it is no URL"],
  ] as const
) {
  Deno.test(`a token server at ${realm} is not asked`, async () => {
    await using registry = new TokenRegistry();
    registry.challenge = () => `Bearer realm="${realm}"`;
    await using client = clientFor(registry, { credentials: USER });
    const { code, message } = await failureOf(() => client.manifest("latest"));
    assertEquals(code, "registry-invalid");
    assertStringIncludes(message, state);
    assertEquals(registry.asked.filter(({ headers }) => headers.has("authorization")), []);
  });
}

Deno.test("a registry over https cannot have its tokens from a server without it", async () => {
  await using tokens = new FaultyRegistry();
  await using registry = new FaultyRegistry(() =>
    failure(401, "UNAUTHORIZED", "no", {
      "www-authenticate": `Bearer realm="http://${tokens.host}/token"`,
    }), "https");
  await using client = clientFor(registry, { credentials: USER });
  const { code, message } = await failureOf(() => client.manifest("latest"));
  assertEquals(code, "registry-invalid");
  assertStringIncludes(message, "not encrypted");
  assertEquals(tokens.asked.length, 0);
});

Deno.test("Basic credentials are sent once they are asked for, and kept on being sent", async () => {
  await using registry = new FaultyRegistry(({ headers }) =>
    headers.get("authorization") === BASIC
      ? undefined
      : failure(401, "UNAUTHORIZED", "no", { "www-authenticate": 'Basic realm="x"' })
  );
  await using client = clientFor(registry, { credentials: USER });
  const descriptor = registry.blob(CONTENT);
  await collect(client.blob(descriptor));
  await collect(client.blob(descriptor));
  const sent = registry.asked.slice(1).map(({ headers }) => headers.get("authorization"));
  assertEquals(sent.slice(-2), [BASIC, BASIC]);
});

for (const credentials of [USER, undefined]) {
  Deno.test(`a refusal of Basic ${credentials ? "credentials" : "strangers"} is final`, async () => {
    let asked = 0;
    await using registry = new FaultyRegistry(({ target }) => {
      if (target.includes("/manifests/")) asked++;
      const headers = { "www-authenticate": 'Basic realm="x"' };
      return failure(401, "UNAUTHORIZED", `not with ${BASIC}`, headers);
    });
    await using client = clientFor(registry, credentials === undefined ? {} : { credentials });
    const { code, message, data } = await failureOf(() => client.manifest("latest"));
    assertEquals([code, data.status], ["unauthorized", 401]);
    assertEquals(asked, credentials === undefined ? 1 : 2);
    assertStringIncludes(message, `layerfs login ${registry.host}`);
    if (credentials) assert(!message.includes(btoa("alice:s3cret word")), message);
  });
}

Deno.test("an upload is given up with a token for that, which no other request asks for", async () => {
  await using registry = new TokenRegistry();
  registry.token = ({ target }) =>
    target.includes("delete") ? failure(403, "DENIED", "you may push only") : undefined;
  registry.challenge = (realm) => `Bearer realm="${realm}"`;
  await using client = clientFor(registry);
  const descriptor = registry.blob(CONTENT);
  registry.blobs.clear();
  const upload = (bytes: Uint8Array) =>
    client.uploadBlob(descriptor, async function* () {
      yield await Promise.resolve(bytes);
    });
  const { code } = await failureOf(() => upload(CONTENT.slice(1)));
  assertEquals(code, "size-mismatch");
  assertEquals(await upload(CONTENT), "uploaded");
  const scopes = registry.tokens.map(({ target }) => new URL(`http://x${target}`).searchParams)
    .map((query) => query.get("scope"));
  assertEquals(scopes, ["repository:team/app:pull,push", "repository:team/app:pull,push,delete"]);
});

for (const status of [401, 403, 503]) {
  Deno.test(`a token server that answers ${status} for a mount keeps nobody from uploading`, async () => {
    await using registry = new TokenRegistry();
    registry.token = ({ target }) =>
      target.includes("base%2Fos") ? failure(status, "DENIED", "not that one") : undefined;
    const clock = new TestClock();
    await using client = clientFor(registry, {}, clock.timing);
    const blobs = [1, 2].map((seed) => ({ bytes: pattern(1000, seed) }));
    for (const { bytes } of blobs) {
      const descriptor = registry.blob(bytes);
      registry.blobs.clear();
      const content = async function* () {
        yield await Promise.resolve(bytes);
      };
      const outcome = await client.uploadBlob(descriptor, content, { mountFrom: "base/os" });
      assertEquals(outcome, "uploaded");
      assertEquals(registry.blobs.get(descriptor.digest), bytes);
    }
    const denied = registry.tokens.filter(({ target }) => target.includes("base%2Fos"));
    // A server that is only busy may answer the next one.
    assertEquals([denied.length, clock.waits], [status === 503 ? 2 : 1, []]);
  });
}
