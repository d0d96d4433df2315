/** How far the thread that fills spools may run ahead of tar. */

import { assertEquals } from "@std/assert";
import { ExtractionQueue, RemoteExtractor, type Spool } from "../../src/layer/extractor.ts";

const SPOOL: Spool = { spool: "/s", layer: 0, root: "/r", setsOwner: false, hasXattrs: false };

Deno.test("spools are begun up to a number, and others wait for those to be done", () => {
  const { outcome } = new ExtractionQueue();
  const DONE = 0; // the word of it that counts them
  const begun: Spool[] = [];
  const waited: number[] = [];
  const { wait } = Atomics;
  // Who waits finds one more done when he is woken.
  Object.assign(Atomics, {
    wait: () => {
      waited.push(begun.length);
      Atomics.add(outcome.control, DONE, 1);
      return "ok";
    },
  });
  try {
    const extractor = new RemoteExtractor(outcome, (spool) => begun.push(spool));
    for (let i = 0; i < 10; i++) extractor.begin(SPOOL);
    assertEquals(waited, [8, 9]);
    extractor.finish();
    assertEquals(waited, [8, 9, ...Array.from({ length: 8 }, () => 10)]);
  } finally {
    Object.assign(Atomics, { wait });
  }
});
