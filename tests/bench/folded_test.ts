import { assertEquals } from "@std/assert";
import { type CpuProfile, foldStacks, threadOf } from "../../bench/folded.ts";

function node(id: number, functionName: string, url: string, ...children: number[]) {
  return { id, callFrame: { functionName, url, lineNumber: 6 }, children };
}

const profile: CpuProfile = {
  nodes: [
    node(1, "(root)", "", 2, 5),
    node(2, "read", "file:///x/src/layer/inflate_worker.ts", 3, 4),
    node(3, "", "file:///x/b;c.ts"),
    node(4, "(garbage collector)", ""),
    node(5, "(idle)", ""),
  ],
  samples: [2, 3, 5, 3, 4, 2],
  timeDeltas: [10, 20, 1000, 30, 5, -1],
};

Deno.test("stacks are folded, their times added up, idle time left out", () => {
  assertEquals(Object.fromEntries(foldStacks("t", profile)), {
    "t;read inflate_worker.ts:7": 10,
    "t;read inflate_worker.ts:7;(anonymous) b,c.ts:7": 50,
    "t;read inflate_worker.ts:7;(garbage collector)": 5,
  });
});

Deno.test("a thread has the name of its worker", () => {
  assertEquals(threadOf(profile), "inflate_worker");
  assertEquals(threadOf({ ...profile, nodes: profile.nodes.slice(2) }), "main");
});
