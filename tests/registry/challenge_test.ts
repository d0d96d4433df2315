import { assertEquals } from "@std/assert";
import { parseChallenges } from "../../src/registry/challenge.ts";

/** Challenges as plain arrays. */
function parse(header: string | null) {
  return parseChallenges(header).map(({ scheme, parameters }) => [
    scheme,
    Object.fromEntries(parameters),
  ]);
}

Deno.test("challenges of real registries", () => {
  assertEquals(
    parse(
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull,push"',
    ),
    [["bearer", {
      realm: "https://auth.docker.io/token",
      service: "registry.docker.io",
      scope: "repository:library/alpine:pull,push",
    }]],
  );
  assertEquals(parse('Basic realm="Registry Realm"'), [["basic", { realm: "Registry Realm" }]]);
  assertEquals(parse("BASIC realm=x , BEARER Realm = y"), [
    ["basic", { realm: "x" }],
    ["bearer", { realm: "y" }],
  ]);
});

Deno.test("several challenges, in one header or in several that were joined", () => {
  assertEquals(parse('Negotiate, Basic realm="a, b", Bearer realm="c",service="d"'), [
    ["negotiate", {}],
    ["basic", { realm: "a, b" }],
    ["bearer", { realm: "c", service: "d" }],
  ]);
  assertEquals(parse('NTLM TlRMTVNTUAAC==, Basic realm="a"'), [["ntlm", {}], ["basic", {
    realm: "a",
  }]]);
});

Deno.test("escapes, and the first of equal names", () => {
  assertEquals(parse('Bearer realm="a\\"b\\\\c",realm=d'), [["bearer", { realm: 'a"b\\c' }]]);
});

Deno.test("what cannot be read ends the list", () => {
  assertEquals(parse(null), []);
  assertEquals(parse(""), []);
  assertEquals(parse(",,  ,"), []);
  assertEquals(parse('realm="x"'), [["realm", {}]]);
  assertEquals(parse('Basic realm="unclosed'), [["basic", {}], ["realm", {}]]);
  assertEquals(parse('Basic realm="a" ; Bearer realm="b"'), [["basic", { realm: "a" }]]);
});

Deno.test("a hostile header takes no time", () => {
  const start = performance.now();
  parseChallenges("a ".repeat(1_000_000));
  parseChallenges(`Bearer realm="${"\\".repeat(1_000_000)}`);
  parseChallenges(`Bearer ${"a".repeat(1_000_000)}`);
  assertEquals(performance.now() - start < 1000, true);
});
