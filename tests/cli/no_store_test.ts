/** Command lines that come to nothing must not leave a store behind. */

import { assert, assertEquals } from "@std/assert";
import { main } from "../../src/cli/main.ts";
import { writeHelloLayout } from "../../src/hello/hello_image.ts";
import { FakeIo } from "./fake_io.ts";

const ABSENT_LAYER = `sha256:${"0".repeat(64)}`;

/** Calls `use` in a directory with the hello image in it, and with a way to run command lines. */
async function withHello(
  use: (
    hello: string,
    store: string,
    run: (...args: string[]) => Promise<{ status: number; text: string }>,
  ) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await writeHelloLayout(`${directory}/hello`);
    const store = `${directory}/store`;
    await use(`oci:${directory}/hello`, store, async (...args) => {
      const io = new FakeIo();
      const status = await main([`--store=${store}`, "--driver=directory", ...args], io);
      return { status, text: io.out + io.err };
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("what fails, or only ends something, makes no store", () =>
  withHello(async (hello, store, run) => {
    const nowhere = `${hello}-that-is-nowhere`;
    const lines: readonly (readonly [status: number, ...args: string[]])[] = [
      [4, "rmi", "x"],
      [4, "rmi", ABSENT_LAYER],
      [2, "rmi", "sha256:abcd"],
      [2, "rmi", "BAD!NAME"],
      [4, "unmount", "x"],
      [0, "unmount", hello],
      [4, "unmount", nowhere],
      [4, "unmount", ABSENT_LAYER],
      [4, "mount", "x"],
      [4, "mount", nowhere],
      [4, "mount", ABSENT_LAYER],
      [2, "mount", "sha256:abcd"],
      [4, "pull", nowhere],
      [4, "pull", "--pull=never", "x"],
      [2, "pull", "--all", "--platform=linux/arm64", hello],
      [4, "push", "x", "oci:nowhere"],
      [2, "push", "--all", "--platform=linux/arm64", "x", "oci:nowhere"],
      [2, "copy", "--all", "--platform=linux/arm64", hello, "x"],
      [4, "copy", nowhere, "x"],
      [4, "tag", "x", "y"],
      [2, "tag", "x", "y@sha256:00"],
      [2, "copy", hello, "dir:copy"],
      [2, "pull", hello, "--as", "sif:1"],
      [4, "create", "--pull=never", "x"],
      [2, "pull", hello, "--as", "BAD!NAME"],
      [4, "squash", `${nowhere}:x`, "y"],
      [4, "squash", nowhere, "y"],
      [2, "squash", hello, "BAD!NAME"],
      [4, "inspect", "x"],
      [4, "inspect", ABSENT_LAYER],
      [2, "inspect", "sha256:00"],
      [4, "rm", "x"],
      [0, "ps"],
      [0, "images"],
      [0, "layers"],
      [0, "gc"],
      [0, "fsck"],
      [0, "df"],
    ];
    for (const [expected, ...args] of lines) {
      const { status, text } = await run(...args);
      assertEquals([args, status], [args, expected], text);
      assert(!(await exists(store)), args.join(" "));
    }
  }));

Deno.test("mount, unmount and inspect say in the same words that there is no such thing", () =>
  withHello(async (_hello, store, run) => {
    const texts = [];
    for (const name of ["mount", "unmount", "inspect"]) texts.push((await run(name, "x")).text);
    const [first] = texts;
    assertEquals(
      first,
      `layerfs: Cannot find "x": the store "${store}" has no container and no image of that name; ` +
        "see layerfs ps and layerfs images\n",
    );
    assertEquals(texts, [first, first, first]);
  }));

Deno.test("rmi looks all names up before it removes any, and keeps the last name that is needed", () =>
  withHello(async (hello, _store, run) => {
    const names = async () => (await run("--quiet", "images")).text.trim().split(/\s+/);
    for (const name of ["one", "two"]) {
      assertEquals((await run("pull", hello, "--as", name)).status, 0);
    }
    assertEquals((await run("rmi", "one", "nosuch")).status, 4);
    assertEquals((await run("rmi", "one", "sha256:abcd")).status, 2);
    assertEquals(await names(), ["one:latest", "two:latest"]);
    assertEquals((await run("create", "--name=web", "one")).status, 0);
    assertEquals((await run("rmi", "one", "two")).status, 5);
    assertEquals(await names(), ["one:latest", "two:latest"]);
    assertEquals(await run("rmi", "one", "one:latest"), { status: 0, text: "one:latest\n" });
    const last = await run("rmi", "two");
    assertEquals(last.status, 5);
    assert(last.text.includes('container "web" was made of it'), last.text);
    assertEquals((await run("rmi", "--force", "two")).status, 0);
    assertEquals(await names(), [""]);
  }));

Deno.test("info tells of the programs and the dataset, and of a store that cannot be read", () =>
  withHello(async (_hello, store, run) => {
    const facts = JSON.parse((await run("--json", "info")).text);
    assertEquals([facts.driver, facts.dataset, facts.containers], ["directory", null, 0]);
    const programs = facts.programs.map(({ program }: { program: string }) => program);
    for (const name of ["zfs", "mount", "umount", "find", "sync", "setfattr", "cp"]) {
      assert(programs.includes(name), name);
    }
    // A link that leads to itself cannot be read by root either.
    await Deno.symlink("store.json", (await Deno.mkdir(store), `${store}/store.json`));
    assertEquals((await run("info")).status, 7);
  }));

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
