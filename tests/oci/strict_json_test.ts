import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { MAX_DOCUMENT_BYTES, MAX_JSON_DEPTH } from "../../src/limits.ts";
import { joinPath, parseJson, quote } from "../../src/oci/strict_json.ts";
import { bytes, type Rejection, testRejections } from "./documents.ts";

const parse = (text: string | Uint8Array): unknown =>
  parseJson(typeof text === "string" ? new TextEncoder().encode(text) : text, "manifest");

Deno.test("what JSON.parse reads is read the same", () => {
  const texts = [
    "null",
    " 12 ",
    '"a\\"b"',
    '"\\\\"',
    '{"a":{"a":{"a":[]}}}',
    '[{"a":1},{"a":2}]',
    '{"a:b":"c:d","e\\":":"{[\\"}"}',
    '{"":0," ":1}',
    '"\\ud83d\\ude00"',
    '{"\\\\":1,"\\\\\\"":2}',
    '{"constructor":1,"toString":2}',
    "{}",
    "[[],[[]],{}]",
    '{"\u00e9":1,"e\u0301":2}',
    "1e400",
  ];
  for (const text of texts) assertEquals(parse(text), JSON.parse(text), text);
});

Deno.test("__proto__ is a member like any other", () => {
  const value = parse('{"__proto__":{"polluted":true}}') as Record<string, unknown>;
  assert(Object.hasOwn(value, "__proto__"));
  assertEquals((value as { polluted?: boolean }).polluted, undefined);
});

Deno.test("a document may be as long and as deep as the caps say", () => {
  const deep = "[".repeat(MAX_JSON_DEPTH) + "]".repeat(MAX_JSON_DEPTH);
  assertEquals(parse(deep), JSON.parse(deep));
  const long = `"${"x".repeat(MAX_DOCUMENT_BYTES - 2)}"`;
  assertEquals((parse(long) as string).length, MAX_DOCUMENT_BYTES - 2);
});

const rejections: readonly Rejection[] = [
  ["empty", () => parse(""), "Cannot read manifest: it is not JSON"],
  ["truncated", () => parse('{"a":'), "it is not JSON"],
  ["trailing text", () => parse("{} x"), "it is not JSON"],
  ["two documents", () => parse("{}{}"), "it is not JSON"],
  ["unterminated string", () => parse('{"a'), "it is not JSON"],
  ["string of backslashes without end", () => parse('"' + "\\".repeat(9)), "it is not JSON"],
  ["comment", () => parse("{/*x*/}"), "it is not JSON"],
  ["trailing comma", () => parse('{"a":1,}'), "it is not JSON"],
  ["NaN", () => parse("NaN"), "it is not JSON"],
  ["raw control character", () => parse('"\n"'), "it is not JSON"],
  ["byte order mark", () => parse(new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d])), "byte order"],
  ["invalid UTF-8", () => parse(new Uint8Array([0x22, 0xff, 0x22])), "it is not UTF-8"],
  ["overlong UTF-8", () => parse(new Uint8Array([0x22, 0xc0, 0xaf, 0x22])), "it is not UTF-8"],
  ["surrogate in UTF-8", () => parse(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22])), "not UTF-8"],
  ["UTF-16", () => parse(new Uint8Array([0x7b, 0, 0x7d, 0])), "it is not JSON"],
  ["duplicate name", () => parse('{"a":1,"a":1}'), 'the name "a" stands twice'],
  [
    "duplicate name, spelled differently",
    () => parse('{"digest":1,"di\\u0067est":2}'),
    'the name "digest" stands twice',
  ],
  ["duplicate name, the empty one", () => parse('{"":1,"":2}'), "stands twice"],
  ["duplicate __proto__", () => parse('{"__proto__":1,"__proto__":2}'), '"__proto__" stands twice'],
  [
    "duplicate name, deep down",
    () => parse('{"layers":[{"x":[]},{"size":1,"x":{"y":{"a":1,"b":"}","a":2}}}]}'),
    'the name "layers[1].x.y.a" stands twice',
  ],
  [
    "duplicate name after a nested array",
    () => parse('[[1,2],{"a":[{},{}],"b":{"c.d":1,"c.d":1}}]'),
    String.raw`the name "[1].b[\"c.d\"]" stands twice`,
  ],
  [
    "duplicate that holds an object",
    () => parse('{"config":{"a":1},"config":{"a":1}}'),
    'the name "config" stands twice',
  ],
  ["lone high surrogate", () => parse('{"a":["\\ud800"]}'), "a[0] is", "lone surrogate"],
  ["lone low surrogate in a name", () => parse('{"\\uDC00":1}'), "the name", "lone surrogate"],
  [
    "nested too deep",
    () => parse("[".repeat(MAX_JSON_DEPTH + 1) + "]".repeat(MAX_JSON_DEPTH + 1)),
    `deeper than ${MAX_JSON_DEPTH}`,
  ],
  ["a bomb of brackets", () => parse("[".repeat(MAX_DOCUMENT_BYTES)), "nested deeper"],
  ["a bomb of objects", () => parse('{"a":'.repeat(1_000_000)), "nested deeper"],
  [
    "too long",
    () => parse(`"${"x".repeat(MAX_DOCUMENT_BYTES - 1)}"`),
    `it has ${MAX_DOCUMENT_BYTES + 1} bytes, more than ${MAX_DOCUMENT_BYTES}`,
  ],
];
testRejections("JSON", "image-invalid", rejections);

Deno.test("names are duplicates when they are equal after their escapes are read", () => {
  const names = ["a", "b", "\\u0061", "c:d", ""];
  for (const first of names) {
    for (const second of names) {
      const text = `{"x":[{"${first}":{"a":1},"${second}":[{"b":2}]}]}`;
      const same = JSON.parse(`"${first}"`) === JSON.parse(`"${second}"`);
      if (same) assertThrows(() => parse(text), LayerfsError, "stands twice");
      else assertEquals(parse(text), JSON.parse(text));
    }
  }
});

Deno.test("what the parser quotes of a document cannot drive a terminal", () => {
  const error = assertThrows(() => parse('{"a": \u001b[2J}'), LayerfsError);
  assertStringIncludes(error.message, String.raw`\u001b`);
  assert(!error.message.includes("\u001b"));
});

Deno.test("an error names the document", () => {
  const error = assertThrows(() => parseJson(bytes("{"), "config"), LayerfsError);
  assertEquals(error.data.document, "config");
});

Deno.test("quoted values are short and cannot drive a terminal", () => {
  assertEquals(quote("a\u001b[2J"), String.raw`"a\u001b[2J"`);
  assertEquals(quote("\u009b2J\u202e"), String.raw`"\u009b2J\u202e"`);
  assertEquals(quote(undefined), "undefined");
  assertEquals(quote({ a: 1 }), '{"a":1}');
  assertEquals(quote("x".repeat(1000)).length, 101);
  assertStringIncludes(quote("x".repeat(1000)), "…");
});

Deno.test("paths are JavaScript's", () => {
  assertEquals(joinPath("", "layers"), "layers");
  assertEquals(joinPath("config", "Env"), "config.Env");
  assertEquals(joinPath("a", "b.c"), 'a["b.c"]');
  assertEquals(joinPath("", "os.version"), '["os.version"]');
});
