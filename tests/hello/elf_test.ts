import { assert, assertEquals } from "@std/assert";
import { helloProgram } from "../../src/hello/elf.ts";

const CODE_OFFSET = 0xb0;

/** Runs a program by the shell, which needs no permission for a path of its own. */
async function execute(program: Uint8Array, redirect = ""): Promise<{ code: number; out: string }> {
  const dir = await Deno.makeTempDir();
  await Deno.writeFile(`${dir}/program`, program, { mode: 0o755 });
  const args = ["-c", `exec "$0" ${redirect}`, `${dir}/program`];
  const { code, stdout } = await new Deno.Command("sh", { args, stderr: "null" }).output();
  await Deno.remove(dir, { recursive: true });
  return { code, out: new TextDecoder().decode(stdout) };
}

/** The program for the machine that runs the tests: Deno for Linux is built for these two. */
const NATIVE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

Deno.test("the program prints its text and exits with 0", async () => {
  for (const text of ["Hello\n", "größe", "x".repeat(3000)]) {
    assertEquals(await execute(helloProgram(NATIVE, text)), { code: 0, out: text });
  }
});

Deno.test("the program exits with 1 when it cannot write", async () => {
  assertEquals(await execute(helloProgram(NATIVE, "Hello\n"), ">/dev/full"), { code: 1, out: "" });
});

Deno.test("the arm64 code is what qemu-aarch64 has run", () => {
  const program = helloProgram("arm64", "Hello\n");
  const view = new DataView(program.buffer);
  const words = [...Array(8).keys()].map((i) => view.getUint32(CODE_OFFSET + i * 4, true));
  assertEquals(words.map((word) => word.toString(16)), [
    "d2800808", // mov x8, #64
    "d2800020", // mov x0, #1
    "100000c1", // adr x1, #24
    "d28000c2", // mov x2, #6
    "d4000001", // svc #0
    "d37ffc00", // lsr x0, x0, #63
    "d2800ba8", // mov x8, #93
    "d4000001", // svc #0
  ]);
  assertEquals(new TextDecoder().decode(program.subarray(CODE_OFFSET + 32)), "Hello\n");
});

Deno.test("one segment holds the whole file, and the stack is not executable", () => {
  for (const machine of ["amd64", "arm64"] as const) {
    const program = helloProgram(machine, "text");
    const view = new DataView(program.buffer);
    assertEquals(view.getUint16(0x12, true), machine === "amd64" ? 62 : 183);
    assertEquals(view.getBigUint64(0x18, true), 0x4000b0n);
    assertEquals(view.getBigUint64(0x40 + 0x20, true), BigInt(program.length));
    assertEquals(view.getUint32(0x78, true), 0x6474e551);
    assert((view.getUint32(0x7c, true) & 1) === 0);
  }
});
