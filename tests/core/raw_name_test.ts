import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { decodeName, encodeName, hasRawName, TOKEN_MARK } from "../../src/core/raw_name.ts";
import { latin1 } from "../fixtures/tar.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("names in UTF-8 stay what they are", () => {
  for (const name of ["", "a", "a/b", "é/日本/😀", "a/\u{feff}b", "\u{feff}", "a\\b"]) {
    const table = new Map<string, Uint8Array>();
    assertEquals(encodeName(utf8(name), table), name);
    assertEquals(table.size, 0);
    assertEquals(decodeName(name, table), utf8(name));
    assertEquals(hasRawName(name), false);
  }
});

Deno.test("a component that is not UTF-8 becomes a token; its neighbours do not", () => {
  const table = new Map<string, Uint8Array>();
  const name = encodeName(latin1("usr/\xff/b\xe9/c"), table);
  const hex = createHash("sha256").update(latin1("\xff")).digest("hex");
  const parts = name.split("/");
  assertEquals([parts[0], parts[3]], ["usr", "c"]);
  assertEquals(parts[1], TOKEN_MARK + hex);
  assertEquals(table.size, 2);
  assert(hasRawName(name));
  assertEquals(decodeName(name, table), latin1("usr/\xff/b\xe9/c"));
});

Deno.test("invalid UTF-8 of every kind: overlong, surrogate, too large, cut off", () => {
  for (const bytes of ["\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"]) {
    const table = new Map<string, Uint8Array>();
    const name = encodeName(latin1(bytes), table);
    assert(name.startsWith(TOKEN_MARK), bytes);
    assertEquals(decodeName(name, table), latin1(bytes));
  }
});

Deno.test("a name that looks like a token does not become another name's", () => {
  const table = new Map<string, Uint8Array>();
  const token = encodeName(latin1("\xff"), table);
  const forged = encodeName(utf8(token), table);
  assertNotEquals(forged, token);
  assertEquals(decodeName(forged, table), utf8(token));
  assertEquals(decodeName(token, table), latin1("\xff"));
  // In the middle of a component the mark is text like any other.
  const inside = `a${TOKEN_MARK}b`;
  assertEquals(encodeName(utf8(inside), table), inside);
  assertEquals(decodeName(inside, table), utf8(inside));
});

Deno.test("a token that the table does not have is no name", () => {
  assertEquals(decodeName(`a/${TOKEN_MARK}${"0".repeat(64)}`, new Map()), undefined);
});
