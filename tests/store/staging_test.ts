import { assert, assertEquals } from "@std/assert";
import { FileLock } from "../../src/store/lock.ts";
import { Staging, sweepStaging } from "../../src/store/staging.ts";

async function withDirectory(body: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "layerfs-staging-" });
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const names = (directory: string) =>
  [...Deno.readDirSync(directory)].map(({ name }) => name).sort();

Deno.test("a staging directory is gone when it is disposed of, its second one too", async () => {
  await withDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/staging`);
    await Deno.mkdir(`${directory}/else`);
    {
      await using staging = Staging.create(`${directory}/staging`);
      await Deno.writeTextFile(`${staging.path}/file`, "x");
      const second = staging.besides(`${directory}/else/bundle`);
      await Deno.mkdir(`${second}/below`);
      assertEquals(Deno.statSync(staging.path).mode! & 0o777, 0o700);
      assertEquals(names(`${directory}/else`).length, 1);
    }
    assertEquals(names(`${directory}/staging`), []);
    assertEquals(names(`${directory}/else`), []);
  });
});

Deno.test("sweepStaging leaves alone what somebody holds", async () => {
  await withDirectory(async (directory) => {
    await using staging = Staging.create(directory);
    assertEquals(await sweepStaging(directory), []);
    assert(Deno.statSync(staging.path).isDirectory);
  });
});

Deno.test("sweepStaging removes what a dead process has left", async () => {
  await withDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/staging/dead`, { recursive: true });
    await Deno.mkdir(`${directory}/else/.layerfs-dead/rootfs`, { recursive: true });
    await Deno.writeTextFile(`${directory}/staging/dead.lock`, "");
    await Deno.writeTextFile(
      `${directory}/staging/dead/elsewhere`,
      `${directory}/else/.layerfs-dead`,
    );
    await Deno.writeTextFile(`${directory}/staging/dead/data`, "x");
    // A lock alone: its process died before it made the directory.
    await Deno.writeTextFile(`${directory}/staging/early.lock`, "");
    const swept = await sweepStaging(`${directory}/staging`);
    assertEquals(swept.sort(), [`${directory}/staging/dead`, `${directory}/staging/early`]);
    assertEquals(names(`${directory}/staging`), []);
    assertEquals(names(`${directory}/else`), []);
  });
});

Deno.test("sweepStaging believes no path that a staging directory cannot have written", async () => {
  await withDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/victim`);
    const staging = `${directory}/staging`;
    await Deno.mkdir(staging);
    for (
      const [name, path] of [["a", `${directory}/victim`], ["b", ""], ["c", directory]] as const
    ) {
      await Deno.mkdir(`${staging}/${name}`);
      await Deno.writeTextFile(`${staging}/${name}/elsewhere`, path);
      await Deno.writeTextFile(`${staging}/${name}.lock`, "");
    }
    assertEquals((await sweepStaging(staging)).length, 3);
    assertEquals(names(directory), ["staging", "victim"]);
    assertEquals(names(staging), []);
  });
});

Deno.test("a lock is refused while it is held, and free when its holder lets go", async () => {
  await withDirectory((directory) => {
    const path = `${directory}/lock`;
    assertEquals(FileLock.tryExisting(path), null);
    {
      using _held = FileLock.create(path);
      assertEquals(FileLock.tryExisting(path), null);
    }
    FileLock.tryExisting(path)!.remove();
    assertEquals(names(directory), []);
  });
});

Deno.test("waiting for a lock outlasts its removal by the holder", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/lock`;
    const held = await FileLock.wait(path);
    const waiting = FileLock.wait(path);
    held.remove();
    using second = await waiting;
    assert(second);
    assertEquals(FileLock.tryExisting(path), null);
  });
});
