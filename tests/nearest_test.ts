import { assertEquals } from "@std/assert";
import { nearestOf, suggestion } from "../src/nearest.ts";

const COMMANDS = ["create", "run", "rm", "rmi", "ps", "pull", "mount", "unmount", "validate", "gc"];

/** What was typed, and which command it is taken for. */
const TYPED: readonly (readonly [string, string | null])[] = [
  ["creat", "create"],
  ["crate", "create"],
  ["crerate", "create"],
  ["pss", "ps"],
  ["sp", "ps"],
  ["vlaidtae", "validate"],
  ["valid", null],
  ["umount", "unmount"],
  ["rmm", "rm"],
  ["prune", null],
  ["exec", null],
  ["stop", null],
  ["start", null],
  ["", null],
  ["ps", "ps"],
];

Deno.test("a word is taken for the known one that is a few letters from it, or for none", () => {
  for (const [typed, meant] of TYPED) {
    assertEquals([typed, nearestOf(typed, COMMANDS)], [typed, meant]);
  }
  assertEquals(nearestOf("x", []), null);
});

Deno.test("what is suggested is written as it is to be typed, and nothing where nothing is", () => {
  assertEquals(suggestion("ps"), "; did you mean ps?");
  assertEquals(suggestion("json", (name) => `--${name}`), "; did you mean --json?");
  assertEquals(suggestion(null), "");
});
