/** The overlay driver where something is wrong: litter, no privilege, filesystems without overlays. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { overlayProblem } from "../../src/store/overlay/probe.ts";
import { kill } from "../fixtures/child.ts";
import { dir, file } from "../fixtures/tar.ts";
import { must, outcome, REPOSITORY, run, start, Work } from "./harness.ts";
import { chainIdOf, mountsIn, OverlayStore } from "./overlay_store.ts";

Deno.test("a sweep unmounts what a killed process has left, and nothing but that", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const base = await store.add("base", null, [dir("."), dir("sub")]);
  const roots: string[] = [];
  for (const name of ["dead", "dead2"]) {
    await Deno.mkdir(`${store.path}/staging/${name}`);
    work.defer(() => store.driver.sweep(name));
    // Not disposed of, as by a process that was killed.
    roots.push((await store.driver.prepareLayer(chainIdOf(name), store.record(base), name)).root);
  }
  const foreign = `${store.path}/staging/dead/foreign`;
  await Deno.mkdir(foreign);
  await must(["mount", "-t", "tmpfs", "layerfs-platform", foreign]);
  const staging = `${store.path}/staging`;
  try {
    assertEquals((await mountsIn(staging)).sort(), [foreign, ...roots].sort());
    assertEquals(new Set((await store.driver.listStrays()).staging), new Set(["dead", "dead2"]));
    await store.driver.sweep("dead");
    assertEquals((await mountsIn(staging)).sort(), [foreign, roots[1]!].sort());
    assertEquals((await store.driver.listStrays()).staging, ["dead2"]);
    await store.driver.sweep("dead");
    await store.driver.sweep("never was there");
  } finally {
    await must(["umount", foreign]);
  }
});

Deno.test("a damaged layer is listed as broken, and is not used", async () => {
  await using work = await Work.create();
  const store = await OverlayStore.create(work);
  const base = await store.add("base", null, [dir(".")]);
  const top = await store.add("top", base, [file("file")]);
  await Deno.writeTextFile(`${store.diff(base)}/../layer.json`, '{"version":1,');
  assertEquals((await store.driver.findLayers([base, top])).size, 1);
  const { brokenLayers } = await store.driver.listStrays();
  assertEquals(brokenLayers.map(({ name }) => name), [base.slice("sha256:".length)]);
  const container = await store.bundle("one", top);
  const error = await assertRejects(() => store.driver.createRootfs(container), LayerfsError);
  assertEquals(error.code, "not-found"); // upon which LayerFS makes it anew
  assertStringIncludes(error.message, `layer ${base}, which is needed below it, is missing`);
  assertEquals(await mountsIn(work.directory), []);
  await store.add("base", null, [dir(".")]);
  await store.driver.createRootfs(container);
  assertEquals([...Deno.readDirSync(container.rootfs)].map(({ name }) => name), ["file"]);
});

/** An overlay of the test's own: a filesystem that the kernel refuses as an upper one. */
async function stackedOverlay(work: Work): Promise<string> {
  for (const name of ["lower", "upper", "work", "stacked"]) await Deno.mkdir(work.path(name));
  const target = work.path("stacked");
  const directories = ["lowerdir=lower", "upperdir=upper", "workdir=work"].join(",");
  const mount = ["mount", "-t", "overlay", "-o", directories, "layerfs-platform", target];
  await must(mount, { cwd: work.directory });
  work.defer(() => must(["umount", target]));
  return target;
}

Deno.test("a filesystem that cannot carry an overlay is a plain error, and leaves nothing", async () => {
  await using work = await Work.create();
  const stacked = await stackedOverlay(work);
  const problem = await overlayProblem(`${stacked}/new/store`);
  assert(problem !== null);
  for (const part of ["wrong fs type", 'of type "overlay"', "--store", "--driver directory"]) {
    assertStringIncludes(problem, part);
  }
  assert(!problem.includes("probe-"), problem);
  assertEquals([...Deno.readDirSync(stacked)], []);
  const store = await OverlayStore.plain(work, `${stacked}/store`);
  const unusable = await assertRejects(() => store.driver.initialize(), LayerfsError);
  assertEquals(unusable.code, "unsupported", unusable.message);
  const base = await store.add("base", null, [dir("."), file("file")]); // takes no mount
  const container = await store.bundle("one", base);
  const prepare = () => store.driver.prepareLayer(chainIdOf("top"), store.record(base), "top");
  await Deno.mkdir(`${store.path}/staging/top`);
  for (const work of [prepare, () => store.driver.createRootfs(container)]) {
    const error = await assertRejects(work, LayerfsError);
    assertEquals(error.code, "unsupported", error.message);
    assertStringIncludes(error.message, 'of type "overlay"');
  }
  assertEquals([...Deno.readDirSync(`${store.path}/staging/top`)], []);
  assertEquals([...Deno.readDirSync(container.bundle)], []);
  assertEquals(await mountsIn(stacked), [stacked]);
});

Deno.test("the probe finds no fault with a good place, and leaves it as it was", async () => {
  await using work = await Work.create();
  const before = await must(["find", work.directory]);
  assertEquals(await overlayProblem(work.path("not/there")), null);
  assertEquals(await overlayProblem(work.directory), null);
  assertEquals(await must(["find", work.directory]), before);
  assertEquals(await mountsIn(work.directory), []);
});

Deno.test("the probe says what is missing: privilege, a filesystem to write to", async () => {
  await using work = await Work.create();
  const probe = `import { overlayProblem } from "file://${REPOSITORY}/src/store/overlay/probe.ts";
    console.log(await overlayProblem("${work.directory}"));`;
  const program = [Deno.execPath(), "eval", "--quiet", probe];
  const withoutMount = await must(["setpriv", "--bounding-set=-sys_admin", ...program]);
  assertStringIncludes(withoutMount, "run as root, outside of containers that may not mount");
  // Packages may lie where only root can read.
  const { denoDir } = JSON.parse(await must([Deno.execPath(), "info", "--json"]));
  const copy = 'mkdir "$2" && cp -r "$1/npm" "$2" && chown -R 65534:65534 "$2"';
  await must(["bash", "-ec", copy, "copy", denoDir, work.path("deno")]);
  const packages = { env: { DENO_DIR: work.path("deno") } };
  const user = ["setpriv", "--reuid=65534", "--clear-groups", "--regid=65534", ...program];
  const { stdout, stderr } = await run(user, packages);
  if (stdout === "") throw new Error(stderr);
  assertEquals(stdout, "overlayfs can be mounted by root only\n");
  await must(["mount", "-t", "tmpfs", "-o", "ro", "layerfs-platform", work.directory]);
  try {
    assertStringIncludes(await overlayProblem(work.directory) ?? "", "is read-only");
  } finally {
    await must(["umount", work.directory]);
  }
});

/** mount(8) of a kernel that does not know the options of Linux 4.17 and later. */
const OLD_MOUNT = `#!/bin/sh
case "$*" in
  *metacopy=*|*xino=*) echo "mount: x: wrong fs type, bad option, bad superblock on y." >&2; exit 32;;
  *index=off,redirect_dir=off*) exec "$REAL_MOUNT" "$@";;
esac
exit 99
`;

Deno.test("an old kernel is spared the options that it does not know, and those only", async () => {
  await using work = await Work.create();
  await Deno.mkdir(work.path("bin"));
  await Deno.writeTextFile(work.path("bin/mount"), OLD_MOUNT, { mode: 0o755 });
  const probe = `import { overlayProblem } from "file://${REPOSITORY}/src/store/overlay/probe.ts";
    console.log(await overlayProblem("${work.directory}"));`;
  const real = (await must(["sh", "-c", "command -v mount"])).trim();
  const env = { PATH: `${work.path("bin")}:${Deno.env.get("PATH")}`, REAL_MOUNT: real };
  assertEquals(await must([Deno.execPath(), "eval", "--quiet", probe], { env }), "null\n");
});

/** mount(8) that does not come back: it says what it has become. */
const ENDLESS_MOUNT = `#!/bin/sh
[ "$1" = --version ] && exit
"$REAL_MOUNT" "$@" || exit
echo $$ >"$PID_FILE.new" && mv "$PID_FILE.new" "$PID_FILE"
exec sleep 1000
`;

Deno.test("a probe that is killed leaves no mount, and its directory to the next one", async () => {
  await using work = await Work.create();
  await Deno.mkdir(work.path("bin"));
  await Deno.mkdir(work.path("place"));
  const place = work.path("place");
  await Deno.writeTextFile(work.path("bin/mount"), ENDLESS_MOUNT, { mode: 0o755 });
  const probe = `import { overlayProblem } from "file://${REPOSITORY}/src/store/overlay/probe.ts";
    console.log(await overlayProblem("${place}"));`;
  const env = {
    PATH: `${work.path("bin")}:${Deno.env.get("PATH")}`,
    REAL_MOUNT: (await must(["sh", "-c", "command -v mount"])).trim(),
    PID_FILE: work.path("pid"),
  };
  const child = start([Deno.execPath(), "eval", "--quiet", probe], { env });
  const wait = `until [ -e "$1" ]; do sleep 0.01; done; cat "$1"`;
  const pid = (await must(["timeout", "60", "sh", "-c", wait, "sh", env.PID_FILE])).trim();
  try {
    const [left, ...others] = [...Deno.readDirSync(place)];
    assertEquals(others, []);
    // It is mounted, where nobody sees it but the process that waits.
    assertStringIncludes(await must(["cat", `/proc/${pid}/mountinfo`]), `/${left?.name}/merged `);
    assertEquals(await mountsIn(work.directory), []);
  } finally {
    kill(child);
    await must(["kill", "-KILL", pid]);
    await outcome(child);
  }
  await Deno.mkdir(`${place}/.layerfs-probe-living`, { mode: 0o700 });
  await Deno.mkdir(`${place}/.layerfs-probe-foreign/file`, { recursive: true, mode: 0o700 });
  await Deno.mkdir(`${place}/.layerfs-probe-open`);
  await Deno.chmod(`${place}/.layerfs-probe-open`, 0o755);
  for (const { name } of Deno.readDirSync(place)) {
    if (name !== ".layerfs-probe-living") await Deno.utime(`${place}/${name}`, 1e9, 1e9);
  }
  assertEquals(await overlayProblem(place), null);
  const names = [...Deno.readDirSync(place)].map(({ name }) => name).sort();
  assertEquals(names, ["foreign", "living", "open"].map((name) => `.layerfs-probe-${name}`));
});

Deno.test("the probe says which program is missing", async () => {
  await using work = await Work.create();
  for (const missing of ["mount", "umount", "unshare"]) {
    await must(["rm", "-rf", work.path("bin")]);
    await Deno.mkdir(work.path("bin"));
    for (const name of ["findmnt", "mount", "umount", "unshare", "sh"]) {
      const real = (await must(["sh", "-c", `command -v ${name}`])).trim();
      if (name !== missing) await Deno.symlink(real, work.path(`bin/${name}`));
    }
    const probe = `import { overlayProblem } from "file://${REPOSITORY}/src/store/overlay/probe.ts";
      console.log(await overlayProblem("${work.directory}"));`;
    const command = [`PATH=${work.path("bin")}`, Deno.execPath(), "eval", "--quiet", probe];
    assertStringIncludes(await must(command), `Cannot run "${missing}": no such program`);
    const names = [...Deno.readDirSync(work.directory)].map(({ name }) => name);
    assertEquals(names, ["bin"]);
  }
});
