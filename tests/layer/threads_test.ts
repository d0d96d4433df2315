/** Threads that are started before it is known what for. */

import { assert } from "@std/assert";
import { startEarly, takeThread } from "../../src/layer/threads.ts";

Deno.test("a thread that was started early is taken once, and the others are ended", () => {
  const early = startEarly();
  const threads = [takeThread("write"), takeThread("write")];
  early[Symbol.dispose]();
  threads.push(takeThread("inflate"));
  assert(new Set(threads).size === threads.length);
  for (const thread of threads) thread.terminate();
});
