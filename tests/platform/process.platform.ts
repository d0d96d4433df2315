/** Terminals, signals and volumes of containers, by runc. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Layerfs, must, run, start, Work } from "./harness.ts";

interface Prepared {
  layerfs: Layerfs;
  id: string;
  /** The arguments of `run`; what follows it is a command of the shell. */
  command: string[];
}

/** The host's programs and libraries, read-only: such a root filesystem takes no time to make. */
async function prepare(work: Work, ...options: string[]): Promise<Prepared> {
  const layerfs = await Layerfs.inside(work);
  const id = `layerfs-platform-${crypto.randomUUID().slice(0, 8)}`;
  work.defer(() => run(["runc", "delete", "--force", id]));
  const rootfs = work.path("host");
  await Deno.mkdir(`${rootfs}/etc`, { recursive: true });
  for (const name of ["bin", "lib", "lib64"]) {
    await Deno.symlink(`usr/${name}`, `${rootfs}/${name}`);
  }
  await Deno.copyFile("/etc/passwd", `${rootfs}/etc/passwd`);
  const given = ["--rm", "--runtime", "runc", "--name", id, "--volume", "/usr:/usr:ro"];
  const command = ["run", ...given, ...options, "--rootfs", rootfs, "sh", "-c"];
  return { layerfs, id, command };
}

/** Quotes an argument for a shell. */
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

Deno.test("--tty gives the process our terminal", async () => {
  await using work = await Work.create();
  const { layerfs, command } = await prepare(work, "--tty");
  const argv = layerfs.argv([...command, "tty; test -t 0 && test -t 1 && echo both; exit 7"]);
  // script(1) is a terminal, and -e makes the status of its command its own.
  const script = ["script", "-qe", "-c", argv.map(quote).join(" "), "/dev/null"];
  const { code, stdout } = await run(script);
  assertEquals(code, 7, stdout);
  assertStringIncludes(stdout, "/dev/pts/0");
  assertStringIncludes(stdout, "both");
});

Deno.test("--tty without a terminal is a usage error", async () => {
  await using work = await Work.create();
  const { layerfs, command } = await prepare(work, "--tty");
  const { code, stderr } = await layerfs.run([...command, "true"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--tty");
  assertEquals((await must(layerfs.argv(["ps", "--json"]))).trim(), "[]");
});

Deno.test("signals to layerfs reach the process, and its status is ours", async () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    await using work = await Work.create();
    const { layerfs, command } = await prepare(work);
    const name = signal.slice(3);
    const trap = `trap 'echo got ${name}; exit 9' ${name}; echo ready; while :; do sleep 0.1; done`;
    const child = start(layerfs.argv([...command, trap]));
    let seen = "";
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      seen += part;
      if (seen === "ready\n") child.kill(signal);
    }
    const status = await child.status;
    await child.stderr.cancel();
    assertEquals([seen, status.code], [`ready\ngot ${name}\n`, 9]);
    assertEquals((await must(layerfs.argv(["ps", "--json"]))).trim(), "[]");
  }
});

Deno.test("a volume of the host has what the container writes, with its owner", async () => {
  await using work = await Work.create();
  const source = work.path("data");
  await Deno.mkdir(source, { mode: 0o777 });
  await Deno.chmod(source, 0o777);
  const { layerfs, command } = await prepare(work, "--user", "games", "--volume", `${source}:/mnt`);
  await must(layerfs.argv([...command, "echo written >/mnt/file"]));
  assertEquals(await Deno.readTextFile(`${source}/file`), "written\n");
  const { uid } = await Deno.stat(`${source}/file`);
  assert(uid !== null && uid > 0);
});
