/** How many calls of zfs the commands make that look at everything. */

import { assertEquals } from "@std/assert";
import { createContainer } from "../../src/container/create.ts";
import { storeSpace } from "../../src/container/df.ts";
import { removeUnused } from "../../src/container/gc.ts";
import { listLayers } from "../../src/container/layers.ts";
import { listContainers } from "../../src/container/list.ts";
import { NO_OVERRIDES } from "../../src/container/overrides.ts";
import { removeContainers } from "../../src/container/remove.ts";
import { HELLO_TAG, writeHelloLayout } from "../../src/hello/hello_image.ts";
import { callsOf, Scratch } from "./harness.ts";

Deno.test("ps, layers, df and gc call zfs once each", async () => {
  await using scratch = await Scratch.create();
  const { store, dataset } = scratch;
  const signal = new AbortController().signal;
  const options = { store, dataset, driver: "zfs", signal } as const;
  const layout = await Deno.makeTempDir();
  scratch.defer(() => Deno.remove(layout, { recursive: true }));
  await writeHelloLayout(`${layout}/hello`);
  const image = `oci:${layout}/hello:${HELLO_TAG}`;
  for (const name of ["a", "b", "c"]) {
    const create = { ...options, engine: "native", image, name, overrides: NO_OVERRIDES } as const;
    await createContainer({ ...create, command: [], onProgress: () => {} });
  }
  const commands = {
    ps: () => listContainers(options),
    layers: () => listLayers(options),
    df: () => storeSpace(options),
    "gc --dry-run": () => removeUnused({ ...options, dryRun: true }),
    gc: () => removeUnused({ ...options, dryRun: false }),
  };
  for (const [name, command] of Object.entries(commands)) {
    const calls = await callsOf(dataset, command);
    assertEquals([name, calls.length], [name, 1], JSON.stringify(calls));
  }
  await removeContainers(options, ["a", "b", "c"], false);
  // To say what gc would remove takes no more than to find nothing.
  assertEquals((await callsOf(dataset, commands["gc --dry-run"])).length, 1);
  assertEquals((await removeUnused({ ...options, dryRun: false })).layers.length, 1);
});
