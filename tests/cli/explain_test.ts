import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { explain, missingFlag } from "../../src/cli/explain.ts";
import { exitStatus, LayerfsError } from "../../src/errors.ts";

/** An error as node:fs throws it. */
function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test("an error of ours stays as it is, also as the cause of another", () => {
  const error = new LayerfsError("busy", "Cannot x: y");
  assertEquals(explain(error, "Cannot z"), error);
  assertEquals(explain(new Error("outer", { cause: error }), "Cannot z"), error);
});

Deno.test("a full disk or quota is storage-full", () => {
  for (const code of ["ENOSPC", "EDQUOT"]) {
    const error = explain(systemError(code, `${code}: full, write`), "Cannot finish create");
    assertEquals([error.code, exitStatus(error.code)], ["storage-full", 7]);
    assertStringIncludes(error.message, "Cannot finish create: ");
  }
});

Deno.test("a refusal of the system is privilege-missing", () => {
  const node = explain(systemError("EPERM", "EPERM: no, chown '/x'"), "Cannot finish create");
  const deno = explain(new Deno.errors.PermissionDenied("denied"), "Cannot finish create");
  assertEquals([node.code, deno.code], ["privilege-missing", "privilege-missing"]);
  assertEquals(exitStatus(node.code), 6);
});

Deno.test("an abort is an interruption", () => {
  const signal = AbortSignal.abort();
  const error = explain(signal.reason, "Cannot finish create");
  assertEquals([error.code, exitStatus(error.code)], ["interrupted", 130]);
});

Deno.test("anything else is a fault of ours, to be reported", () => {
  const error = explain(new TypeError("x is undefined"), "Cannot finish ps");
  assertEquals([error.code, exitStatus(error.code)], ["unexpected", 1]);
  assertStringIncludes(error.message, "Cannot finish ps: x is undefined; this is a fault");
  assertEquals(explain("text", "Cannot x").code, "unexpected");
});

Deno.test("a denied permission is known by its words too, as a worker passes them on", () => {
  const words =
    'worker failed: Requires read access to "/w.ts", run again with the --allow-read flag';
  const error = explain(new Error(words), "Cannot finish create");
  assertEquals([error.code, error.data.flag], ["permission-missing", "--allow-read=/w.ts"]);
  assertEquals(
    error.message,
    'Cannot finish create: Deno may not do this (Requires read access to "/w.ts"); ' +
      "add --allow-read=/w.ts to its command line",
  );
});

Deno.test("a denied permission names the flag as exactly as Deno's message does", () => {
  const again = (kind: string) => `, run again with the --allow-${kind} flag`;
  const flags: Record<string, string> = {
    [`Requires read access to "/a/b"${again("read")}`]: "--allow-read=/a/b",
    [`Requires read access to "/a b"${again("read")}`]: "'--allow-read=/a b'",
    [`Requires read access to "/it's"${again("read")}`]: "'--allow-read=/it'\\''s'",
    [`Requires read access to "/a,b"${again("read")}`]: "--allow-read",
    [`Requires write access to <TMP>${again("write")}`]: "--allow-write",
    [`Requires env access to "HOME"${again("env")}`]: "--allow-env=HOME",
    [`Requires env access${again("env")}`]: "--allow-env",
    [`Requires run access to "tar"${again("run")}`]: "--allow-run=tar",
    [`Requires sys access to "uid"${again("sys")}`]: "--allow-sys=uid",
    "Deno.symlinkSync() requires unscoped --allow-read and --allow-write permissions; path-scoped":
      "--allow-read --allow-write",
  };
  for (const [message, flag] of Object.entries(flags)) assertEquals(missingFlag(message), flag);
});

Deno.test({
  name: "Deno's own words are the ones that are understood",
  permissions: { read: false, env: false, sys: false },
  fn() {
    const flag = (denied: () => unknown) => {
      const error = explain(assertThrows(denied, Deno.errors.NotCapable), "Cannot x");
      assertEquals(error.code, "permission-missing");
      assertStringIncludes(error.message, `add ${error.data.flag} to its command line`);
      return error.data.flag;
    };
    assertEquals(flag(() => Deno.readTextFileSync("/etc/no file")), "'--allow-read=/etc/no file'");
    assertEquals(flag(() => Deno.env.get("LAYERFS_STORE")), "--allow-env=LAYERFS_STORE");
    assertEquals(flag(() => Deno.uid()), "--allow-sys=uid");
  },
});
