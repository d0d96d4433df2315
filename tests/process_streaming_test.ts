import { assert, assertEquals, assertRejects } from "@std/assert";
import { LayerfsError } from "../src/errors.ts";
import { runStreaming } from "../src/process.ts";

Deno.test("output comes in pieces, with the status and the error output at the end", async () => {
  let bytes = 0;
  let most = 0;
  const script = "head -c 3000000 /dev/zero; echo said >&2; exit 3";
  const result = await runStreaming("sh", ["-c", script], async (piece) => {
    await Promise.resolve();
    bytes += piece.length;
    most = Math.max(most, piece.length);
  });
  assertEquals([bytes, result.code, result.stderr, result.bytes.length], [3000000, 3, "said\n", 0]);
  assert(most < 1_000_000);
});

Deno.test("what the reader throws ends the program, and is thrown", async () => {
  const reason = new Error("enough");
  const endless = () =>
    runStreaming("sh", ["-c", "exec cat /dev/zero"], () => Promise.reject(reason));
  assertEquals(await assertRejects(endless, Error), reason);
});

Deno.test("a signal ends a program that writes nothing", async () => {
  const signal = AbortSignal.timeout(50);
  const take = () => Promise.resolve();
  const silent = () => runStreaming("sh", ["-c", "exec sleep 600"], take, { signal });
  assertEquals((await assertRejects(silent, LayerfsError)).code, "interrupted");
  const missing = () => runStreaming("sh", ["-c", ":"], take, { signal: AbortSignal.abort() });
  assertEquals((await assertRejects(missing, LayerfsError)).code, "interrupted");
});
