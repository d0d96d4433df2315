/** The bundles start: Debian's shell, Python and Node in them, by runc and by crun. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { image, Layerfs, must, type Outcome, outcome, run, start, Work } from "./harness.ts";

/** crun 1.8 starts nothing where cgroup v1 and v2 are mounted side by side. */
const HYBRID_CGROUPS = new Deno.Command("env", { args: ["test", "-d", "/sys/fs/cgroup/unified"] })
  .outputSync().success;

/** A layerfs, and a name for a container that no other test or program has. */
async function prepare(work: Work): Promise<{ layerfs: Layerfs; id: string }> {
  const layerfs = await Layerfs.inside(work);
  const id = `layerfs-platform-${crypto.randomUUID().slice(0, 8)}`;
  for (const runtime of ["runc", "crun"]) {
    work.defer(() => run([runtime, "delete", "--force", id]));
  }
  return { layerfs, id };
}

/** Runs a shell command in a container of an image, with further options of `run`. */
async function shell(tag: "debian" | "base", command: string, options: string[]): Promise<Outcome> {
  await using work = await Work.create();
  const { layerfs, id } = await prepare(work);
  const args = ["run", "--rm", "--runtime", "runc", "--name", id, ...options];
  const result = await layerfs.run([...args, await image(tag), "-c", command]);
  assertEquals((await must(layerfs.argv(["ps", "--json"]))).trim(), "[]");
  return result;
}

/** The output of a shell command in the small image, which must succeed. */
async function shellOutput(command: string, ...options: string[]): Promise<string> {
  return outputOf(await shell("base", command, options));
}

function outputOf({ code, stdout, stderr }: Outcome): string {
  assertEquals(code, 0, stderr);
  return stdout;
}

Deno.test("runc starts the bundle that create leaves", async () => {
  await using work = await Work.create();
  const { layerfs, id } = await prepare(work);
  const { bundle } = await layerfs.create(["--name", id, await image("debian")]);
  const output = await must(["runc", "run", "--bundle", bundle, id]);
  assertStringIncludes(output, 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"');
});

Deno.test({
  name: "crun starts the bundle that create leaves",
  ignore: HYBRID_CGROUPS,
  async fn() {
    await using work = await Work.create();
    const { layerfs, id } = await prepare(work);
    const { bundle } = await layerfs.create(["--name", id, await image("debian")]);
    const output = await must(["crun", "run", "--bundle", bundle, id]);
    assertStringIncludes(output, 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"');
  },
});

Deno.test("Python, Node, Perl and git of the image work", async () => {
  const output = outputOf(
    await shell(
      "debian",
      `
    python3 -c 'import json, sqlite3; print("python", json.dumps(6 * 7))'
    node -e 'console.log("node", [1, 2, 3].reduce((a, b) => a + b))'
    perl -e 'print "perl ", 6 * 9, "\n"'
    git init -q /tmp/repository && git -C /tmp/repository status --short --branch`,
      [],
    ),
  );
  assertEquals(output.trim().split("\n").slice(0, 3), ["python 42", "node 6", "perl 54"]);
  assertStringIncludes(output, "## No commits yet");
});

Deno.test("dpkg finds every file of its packages as it was installed", async () => {
  // Layer 3 deleted documentation and lists and moved licences: nothing else may be missing.
  const output = outputOf(await shell("debian", "dpkg --verify; dpkg --audit; echo end", []));
  const missing = output.trim().split("\n").filter((line) =>
    line !== "end" &&
    !/ \/(usr\/share\/doc|usr\/share\/common-licenses|var\/lib\/apt\/lists)(\/|$)/.test(line)
  );
  assertEquals(missing, []);
});

Deno.test("the image's environment, working directory and root user", async () => {
  const output = await shellOutput('echo "$LAYERFS_TEST $PWD $(id -u):$(id -g)"');
  assertEquals(output.trim(), "platform /srv 0:0");
});

Deno.test("the exit status and both outputs of the process are ours", async () => {
  const { code, stdout, stderr } = await shell("base", "echo out; echo err >&2; exit 42", []);
  assertEquals([code, stdout.trim()], [42, "out"]);
  assertStringIncludes(stderr, "err");
});

Deno.test("overrides reach the process", async () => {
  await using work = await Work.create();
  await Deno.writeTextFile(work.path("shared"), "from the host");
  const options = [
    ["--env", "COLOUR=blue"],
    ["--env-file", work.path("env")],
    ["--workdir", "/var/lib"],
    ["--user", "games"],
    ["--hostname", "platform"],
    ["--volume", `${work.directory}:/mnt:ro`],
    ["--tmpfs", "/media"],
    ["--cap-drop", "ALL"],
  ].flat();
  await Deno.writeTextFile(work.path("env"), "SHAPE=round\n");
  const output = await shellOutput(
    `echo "$COLOUR $SHAPE $PWD $(id -un) $(hostname) $(cat /mnt/shared)"
     touch /mnt/new 2>/dev/null || echo read-only
     grep -c ' /media tmpfs ' /proc/mounts
     grep CapEff /proc/self/status`,
    ...options,
  );
  const [values, volume, tmpfs, capabilities] = output.split("\n");
  assertEquals(values, "blue round /var/lib games platform from the host");
  assertEquals([volume, tmpfs], ["read-only", "1"]);
  assertEquals(capabilities?.replace(/\s+/, " "), "CapEff: 0000000000000000");
});

Deno.test("--read-only, and a root filesystem that can be written without it", async () => {
  const command = "touch /etc/new 2>/dev/null && echo written || echo refused";
  assertEquals((await shellOutput(command)).trim(), "written");
  assertEquals((await shellOutput(command, "--read-only")).trim(), "refused");
});

Deno.test("--network: a network of its own has no way out, the host's has the host's", async () => {
  const count = "tail -n +3 /proc/net/dev | wc -l";
  const host = (await must(["sh", "-c", count])).trim();
  assertEquals((await shellOutput(count, "--network", "host")).trim(), host);
  const interfaces = await shellOutput("tail -n +3 /proc/net/dev", "--network", "none");
  assertEquals(interfaces.trim().split("\n").length, 1);
  assertStringIncludes(interfaces, "lo:");
});

Deno.test("--memory and --pids-limit are the limits of the cgroup", async () => {
  const output = await shellOutput(
    `cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
     cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true`,
    ...["--memory", "64m", "--pids-limit", "50"],
  );
  assertEquals(output.trim().split("\n"), [String(64 * 1024 * 1024), "50"]);
});

Deno.test("rm spares a container that runs, and --force stops it", async () => {
  await using work = await Work.create();
  const { layerfs, id } = await prepare(work);
  const command = ["run", "--runtime", "runc", "--name", id, await image("base")];
  const child = start(layerfs.argv([...command, "-c", "echo up; exec sleep 100"]));
  const ended = outcome(child);
  let state = "";
  for (let tries = 0; tries < 600 && state !== "running"; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { code, stdout } = await run(["runc", "state", id]);
    if (code === 0) state = JSON.parse(stdout).status;
  }
  assertEquals(state, "running");
  assertEquals((await layerfs.run(["rm", id])).code, 5);
  await must(layerfs.argv(["rm", "--force", id]));
  assert((await ended).code !== 0);
  assertEquals((await run(["runc", "state", id])).code, 1);
  assertEquals((await must(layerfs.argv(["ps", "--json"]))).trim(), "[]");
});
