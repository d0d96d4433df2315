import { assert, assertEquals } from "@std/assert";
import { describeHolders, holdersOf } from "../../src/store/holders.ts";
import { isMountPoint } from "../../src/store/mount_point.ts";

Deno.test("processes that use a directory are found, by whatever use, and named", async () => {
  // Characters that mean something in a pattern of find.
  const scratch = await Deno.realPath(await Deno.makeTempDir());
  const directory = `${scratch}/a[b]*\\? c`;
  await Deno.mkdir(`${directory}/in`, { recursive: true });
  await Deno.writeTextFile(`${directory}/file`, "");
  const start = (script: string, cwd: string) =>
    new Deno.Command("sh", {
      args: ["-c", `echo here; ${script}`, "sh", `${directory}/file`],
      cwd,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
  const children = [
    start("read -r line", `${directory}/in`),
    start('exec 3<"$1"; read -r line', "/"),
    // Beside it, not in it.
    start("read -r line", "/"),
  ];
  try {
    const outputs = children.map(({ stdout }) => stdout.getReader());
    for (const output of outputs) assert(!(await output.read()).done);
    const holders = await holdersOf(directory);
    const ours = holders.filter(({ pid }) => children.some((child) => child.pid === pid));
    assertEquals(
      ours,
      children.slice(0, 2).map(({ pid }) => ({ pid, name: "sh" })).sort((a, b) => a.pid - b.pid),
    );
    for (const output of outputs) await output.cancel();
  } finally {
    for (const child of children) {
      await child.stdin.close();
      await child.status;
    }
    await Deno.remove(scratch, { recursive: true });
  }
  assertEquals(await holdersOf(directory), []);
});

Deno.test("holders in a message", () => {
  assertEquals(describeHolders([]), null);
  const two = [{ pid: 1, name: "init" }, { pid: 77, name: "a b" }];
  assertEquals(describeHolders(two), "init (1), a b (77)");
});

Deno.test("a mount point is told from a directory, a file and nothing", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/file`, "");
  await Deno.symlink("/proc", `${directory}/link`);
  assertEquals(isMountPoint(directory), false);
  for (const name of ["file", "link", "none", "none/below"]) {
    assertEquals([name, isMountPoint(`${directory}/${name}`)], [name, false]);
  }
  await Deno.remove(directory, { recursive: true });
});
