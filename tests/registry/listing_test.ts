import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_DOCUMENT_BYTES } from "../../src/limits.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media_type.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { broken, failure, FaultyRegistry } from "./faulty_registry.ts";
import { clientFor, failureOf } from "./harness.ts";

/** A registry whose list of tags is what `page` says for a query. */
function tagged(page: (query: URLSearchParams) => { tags: unknown; link?: string }) {
  return new FaultyRegistry(({ target }) => {
    const url = new URL(`http://x${target}`);
    if (!url.pathname.endsWith("/tags/list")) return undefined;
    const { tags, link } = page(url.searchParams);
    return Response.json(
      { name: "team/app", tags },
      link === undefined ? {} : { headers: { link } },
    );
  });
}

Deno.test("tags come in pages, by relative and absolute links", async () => {
  const links: Record<string, string | undefined> = {
    "": '</v2/team/app/tags/list?n=2&last=b>; rel="next"',
    b: "<?last=d>; foo=bar; rel=next",
    d: undefined,
  };
  await using registry = tagged((query) => {
    const last = query.get("last") ?? "";
    const link = links[last];
    return { tags: [`${last}1`, `${last}2`], ...(link === undefined ? {} : { link }) };
  });
  await using client = clientFor(registry);
  assertEquals(await client.tags(), ["1", "2", "b1", "b2", "d1", "d2"]);
});

Deno.test("no tags are none", async () => {
  await using registry = tagged(() => ({ tags: null }));
  await using client = clientFor(registry);
  assertEquals(await client.tags(), []);
});

Deno.test("a page that breaks is read again", async () => {
  let broke = false;
  await using registry = new FaultyRegistry(({ target }) => {
    if (!target.includes("/tags/list")) return undefined;
    if (broke) return Response.json({ tags: ["a"] });
    broke = true;
    return broken(new TextEncoder().encode('{"tags":'));
  });
  await using client = clientFor(registry);
  assertEquals(await client.tags(), ["a"]);
});

for (
  const [name, link, state] of [
    ["itself", "</v2/team/app/tags/list?n=1000>; rel=next", "its pages have no end"],
    ["another host", "<http://localhost:1/x>; rel=next", "not encrypted"],
    ["a file", "<file:///etc/passwd>; rel=next", 'a URL of "file:"'],
    ["a user", "<http://u:p@127.0.0.1/>; rel=next", "a URL with a user in it"],
  ] as const
) {
  Deno.test(`a next page at ${name} is refused`, async () => {
    await using registry = tagged(() => ({ tags: ["a"], link }));
    await using client = clientFor(registry);
    const { code, message } = await failureOf(() => client.tags());
    assertEquals(code, "registry-invalid");
    assertStringIncludes(message, state);
  });
}

Deno.test("a next page at another origin is refused, even where that may be used", async () => {
  await using other = tagged(() => ({ tags: ["b"] }));
  await using registry = tagged(() => ({ tags: ["a"], link: `<http://${other.host}/>; rel=next` }));
  await using client = clientFor(registry, { tlsVerify: false });
  assertStringIncludes((await failureOf(() => client.tags())).message, "at another host");
  assertEquals(other.asked.length, 0);
});

Deno.test("pages without end are given up", async () => {
  let page = 0;
  await using registry = tagged(() => ({ tags: ["a"], link: `<?last=${++page}>; rel=next` }));
  await using client = clientFor(registry);
  assertStringIncludes((await failureOf(() => client.tags())).message, "its pages have no end");
  assertEquals(page, 1000);
});

Deno.test("too many tags are refused", async () => {
  await using registry = tagged(() => ({ tags: Array(100_001).fill("a") }));
  await using client = clientFor(registry);
  assertStringIncludes((await failureOf(() => client.tags())).message, "more than 100000");
});

Deno.test("what is no list of tags is the registry's fault", async () => {
  for (const tags of ["a", [1], {}]) {
    await using registry = tagged(() => ({ tags }));
    await using client = clientFor(registry);
    assertEquals((await failureOf(() => client.tags())).code, "registry-invalid");
  }
});

const SUBJECT = parseDigest(`sha256:${"1".repeat(64)}`);
const referrer = (digit: string, artifactType: string) => ({
  mediaType: OCI_MANIFEST,
  digest: `sha256:${digit.repeat(64)}` as Digest,
  size: 7,
  artifactType,
});
const INDEX = JSON.stringify({
  schemaVersion: 2,
  mediaType: OCI_INDEX,
  manifests: [referrer("2", "a/signature"), referrer("3", "a/sbom")],
});

Deno.test("referrers are listed, and filtered where the registry does not", async () => {
  await using registry = new FaultyRegistry(({ target }) =>
    target.includes("/referrers/")
      ? new Response(INDEX, { headers: { "content-type": OCI_INDEX } })
      : undefined
  );
  await using client = clientFor(registry);
  assertEquals((await client.referrers(SUBJECT)).length, 2);
  assertEquals(await client.referrers(SUBJECT, "a/sbom"), [referrer("3", "a/sbom")]);
  assertEquals(
    registry.log.at(-1),
    `GET /v2/team/app/referrers/${SUBJECT}?artifactType=a%2Fsbom`,
  );
});

Deno.test("without the API, referrers stand under a tag", async () => {
  await using registry = new FaultyRegistry(({ target }) =>
    target.includes("/referrers/") ? failure(404, "NOT_FOUND", "no such page") : undefined
  );
  await using client = clientFor(registry);
  assertEquals(await client.referrers(SUBJECT), []);
  registry.manifest(`sha256-${"1".repeat(64)}`, INDEX, OCI_INDEX);
  assertEquals(await client.referrers(SUBJECT, "a/signature"), [referrer("2", "a/signature")]);
  assert(registry.log.at(-1)?.endsWith(`/manifests/sha256-${"1".repeat(64)}`));
});

Deno.test("a referrer is added to those under the tag, once, and nothing else is changed", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  const tag = `sha256-${"1".repeat(64)}`;
  const listed = () => JSON.parse(new TextDecoder().decode(registry.manifests.get(tag)?.bytes));
  const first = { ...referrer("2", "a/signature"), annotations: { who: "me" } };
  await client.addReferrer(SUBJECT, first);
  assertEquals(registry.manifests.get(tag)?.type, OCI_INDEX);
  assertEquals(listed(), { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [first] });
  const theirs = { ...listed(), annotations: { a: "b" }, x: 1 };
  theirs.manifests[0].y = 2;
  registry.manifest(tag, JSON.stringify(theirs), OCI_INDEX);
  await client.addReferrer(SUBJECT, referrer("3", "a/sbom"));
  assertEquals(listed(), {
    ...theirs,
    manifests: [...theirs.manifests, referrer("3", "a/sbom")],
  });
  registry.asked.length = 0;
  await client.addReferrer(SUBJECT, first);
  assertEquals(registry.log, [`GET /v2/team/app/manifests/${tag}`]);
});

Deno.test("what is no index stays under the tag of referrers", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  const tag = `sha256-${"1".repeat(64)}`;
  const taken = JSON.stringify({ schemaVersion: 2, config: {}, layers: [] });
  registry.manifest(tag, taken, OCI_MANIFEST);
  const { code } = await failureOf(() => client.addReferrer(SUBJECT, referrer("2", "a/b")));
  assertEquals(code, "image-invalid");
  assertEquals(new TextDecoder().decode(registry.manifests.get(tag)?.bytes), taken);
});

Deno.test("an index of referrers does not grow beyond what can be read", async () => {
  await using registry = new FaultyRegistry();
  await using client = clientFor(registry);
  const tag = `sha256-${"1".repeat(64)}`;
  const full = {
    schemaVersion: 2,
    manifests: [],
    annotations: { a: "a".repeat(MAX_DOCUMENT_BYTES - 100) },
  };
  registry.manifest(tag, JSON.stringify(full), OCI_INDEX);
  const { code } = await failureOf(() => client.addReferrer(SUBJECT, referrer("2", "a/b")));
  assertEquals(code, "unsupported");
});
