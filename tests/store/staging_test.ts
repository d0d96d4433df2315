import { assert, assertEquals } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { deadStaging, Staging, sweepStaging } from "../../src/store/staging.ts";
import { sweepUntil } from "./sweeping.ts";

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

const nothing = () => Promise.resolve();

Deno.test("a staging directory is gone when it is disposed of", async () => {
  await withDirectory(async (directory) => {
    {
      await using staging = Staging.create(directory);
      await Deno.writeTextFile(`${staging.path}/file`, "x");
      assertEquals(staging.path, `${directory}/${staging.name}`);
      assertEquals(Deno.statSync(staging.path).mode! & 0o777, 0o700);
      assertEquals(names(directory), [staging.name, `${staging.name}.lock`]);
    }
    assertEquals(names(directory), []);
  });
});

Deno.test("sweepStaging leaves alone what somebody holds", async () => {
  await withDirectory(async (directory) => {
    await using staging = Staging.create(directory);
    assertEquals(deadStaging(directory), []);
    assertEquals(await sweepStaging(directory, nothing), []);
    assert(Deno.statSync(staging.path).isDirectory);
  });
});

Deno.test("sweepStaging removes what a dead process has left, after it was freed", async () => {
  await withDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/dead/below`, { recursive: true });
    await Deno.writeTextFile(`${directory}/dead.lock`, "");
    // A lock alone: its process died before it made the directory.
    await Deno.writeTextFile(`${directory}/early.lock`, "");
    assertEquals(deadStaging(directory), ["dead", "early"]);
    const freed: string[] = [];
    const free = (name: string, path: string) => {
      if (name === "dead") assert(Deno.statSync(`${path}/below`).isDirectory);
      freed.push(name);
      return Promise.resolve();
    };
    const swept = await sweepUntil(2, () => sweepStaging(directory, free));
    assertEquals(swept, ["dead", "early"]);
    assertEquals(freed.sort(), ["dead", "early"]);
    assertEquals(names(directory), []);
  });
});

Deno.test("what cannot be freed stays for a later sweep, and stops no other", async () => {
  await withDirectory(async (directory) => {
    for (const name of ["busy", "free"]) await Deno.writeTextFile(`${directory}/${name}.lock`, "");
    const free = (name: string) => {
      if (name === "busy") throw new LayerfsError("busy", "Cannot free: it is in use");
      return Promise.resolve();
    };
    const swept = await sweepUntil(1, () => sweepStaging(directory, free));
    assertEquals(swept, ["free"]);
    assertEquals(names(directory), ["busy.lock"]);
    assertEquals(await sweepUntil(1, () => sweepStaging(directory, nothing)), ["busy"]);
  });
});
