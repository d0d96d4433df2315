import { assert, assertEquals, assertStringIncludes } from "@std/assert";
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

Deno.test("where nobody can be asked, the advice is what the command has", async () => {
  const program = new URL("../../src/cli/program.ts", import.meta.url).pathname;
  const dir = await Deno.makeTempDir();
  try {
    const run = async (...args: string[]) => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--allow-env", "--allow-sys=uid", "--allow-read", program, ...args],
        env: { HOME: dir, XDG_RUNTIME_DIR: dir, NO_COLOR: "1" },
        stdin: "null",
      }).output();
      assertEquals(code, 2);
      return new TextDecoder().decode(stderr);
    };
    const login = await run("login", "--username=me", "127.0.0.1:1");
    assertStringIncludes(login, "use --password-stdin");
    assert(!login.includes("--creds"), login);
    const inspect = await run("inspect", "--creds=me", "docker://127.0.0.1:1/x");
    assertStringIncludes(inspect, "me:PASSWORD");
    assert(!inspect.includes("--password-stdin"), inspect);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
