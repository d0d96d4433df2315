import { assertEquals } from "@std/assert";
import { readLine } from "../../src/cli/hidden_line.ts";
import { refuses } from "../source/scratch.ts";

/** What is read of keys that are typed. */
function typed(keys: string): string {
  const bytes = new TextEncoder().encode(keys).values();
  return readLine(() => bytes.next().value ?? null);
}

Deno.test("a line ends at enter, at control-D and at the end of the input", () => {
  assertEquals(typed("secret\rmore"), "secret");
  assertEquals(typed("secret\nmore"), "secret");
  assertEquals(typed("secret\x04more"), "secret");
  assertEquals(typed("secret"), "secret");
  assertEquals(typed("\r"), "");
});

Deno.test("backspace takes a character away, control-U all of them", () => {
  assertEquals(typed("ab\x7fc\r"), "ac");
  assertEquals(typed("ä€🦀\x7f\x08b\r"), "äb");
  assertEquals(typed("\x7f\x7fa\r"), "a");
  assertEquals(typed("wrong\x15right\r"), "right");
});

Deno.test("control-C ends it", async () => {
  await refuses(() => typed("secr\x03et\r"), "interrupted");
});
