/**
 * Many processes at once: each layer is applied once, each container is right, and gc beside them
 * takes nothing that is in use.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { run, Work } from "./harness.ts";
import {
  type CreatedRow,
  Ground,
  pick,
  randomNumbers,
  setting,
  type StressDriver,
  tell,
} from "./stress_ground.ts";
import { sharingImages, type StressImage } from "./stress_images.ts";

/** Registers the tests for one driver. */
export function crowdTests(driver: StressDriver): void {
  const ignore = driver.skip !== undefined;
  const processes = () => setting("LAYERFS_STRESS_PROCESSES", 20);
  const test = (name: string, fn: (work: Work) => Promise<void>) =>
    Deno.test({
      name: `${driver.name}: ${name}`,
      ignore,
      fn: async () => {
        await using work = await Work.create();
        await fn(work);
      },
    });
  test("many creates of one image at once apply each layer once", async (work) => {
    await crowd(work, driver, sharingImages(work.directory, 1), processes());
  });
  test("many creates of five images that share layers apply each layer once", async (work) => {
    await crowd(work, driver, sharingImages(work.directory, 5), processes());
  });
  test("of many creates of one name, one succeeds", async (work) => {
    await oneName(work, driver, Math.ceil(processes() / 2));
  });
  test("two stores are used for the first time at once", async (work) => {
    await firstUses(work, driver);
  });
  test("gc beside creates and removals takes nothing that is in use", async (work) => {
    await gcBeside(work, driver, setting("LAYERFS_STRESS_SECONDS", 20));
  });
}

/** Layers that `images` have together: all have the lower two, and two of their own. */
function distinctLayers(images: readonly StressImage[]): number {
  return 2 + 2 * images.length;
}

async function crowd(
  work: Work,
  driver: StressDriver,
  images: readonly StressImage[],
  processes: number,
): Promise<void> {
  const ground = await Ground.create(work, driver);
  // The store is new as well: all of them make it.
  const created = await Promise.all(
    Array.from({ length: processes }, async (_, i) => {
      const image = images[i % images.length];
      assert(image !== undefined);
      const row = await ground.json<CreatedRow>(["create", image.reference]);
      assertEquals(row.layers.total, image.layers);
      assertEquals(row.layers.reused + row.layers.applied, image.layers);
      return { ...row, image };
    }),
  );
  const applied = created.reduce((sum, { layers }) => sum + layers.applied, 0);
  const used = images.slice(0, processes);
  const expected = driver.keepsLayers
    ? distinctLayers(used)
    : created.reduce((sum, { layers }) => sum + layers.total, 0);
  assertEquals(applied, expected, "layers applied by all together");
  const ids = created.map(({ id }) => id).sort();
  assertEquals(new Set(ids).size, processes);
  assertEquals(ground.containers(), ids);
  for (const { id, image } of created) await ground.assertFiles(id, image);
  const layers = await ground.json<unknown[]>(["layers"]);
  assertEquals(layers.length, driver.keepsLayers ? distinctLayers(used) : 0);
  await ground.assertClean();
  await ground.json(["rm", ...ids]);
  await ground.json(["gc"]);
  assertEquals(await ground.json(["layers"]), []);
  await ground.assertClean();
  assertEquals(await ground.mounts(), []);
}

async function oneName(work: Work, driver: StressDriver, processes: number): Promise<void> {
  const ground = await Ground.create(work, driver);
  const [image] = sharingImages(work.directory, 1);
  assert(image !== undefined);
  const args = ["create", "--name", "wanted", image.reference];
  const results = await Promise.all(
    Array.from({ length: processes }, () => ground.run(...args)),
  );
  const statuses = results.map(({ code }) => code).sort((a, b) => a - b);
  const said = results.map(({ stderr }) => stderr).join("");
  assertEquals(statuses, [0, ...Array(processes - 1).fill(5)], said);
  assertEquals(ground.containers(), ["wanted"]);
  await ground.assertFiles("wanted", image);
  await ground.assertClean();
}

async function firstUses(work: Work, driver: StressDriver): Promise<void> {
  const place = await driver.place(work);
  const grounds = [
    await Ground.create(work, driver, place),
    await Ground.create(work, driver, place),
  ];
  const [image] = sharingImages(work.directory, 1);
  assert(image !== undefined);
  await Promise.all(grounds.flatMap((ground) => [
    ground.create("one", image),
    ground.create("two", image),
  ]));
  for (const ground of grounds) {
    assertEquals(ground.containers(), ["one", "two"]);
    await ground.assertFiles("one", image);
    await ground.assertFiles("two", image);
    await ground.assertClean();
  }
}

async function gcBeside(work: Work, driver: StressDriver, seconds: number): Promise<void> {
  const ground = await Ground.create(work, driver);
  const images = sharingImages(work.directory, 3);
  const seed = setting("LAYERFS_STRESS_SEED", crypto.getRandomValues(new Uint32Array(1))[0] ?? 1);
  const end = performance.now() + seconds * 1000;
  let collections = 0;
  let layersRemoved = 0;
  const collector = async () => {
    while (performance.now() < end) {
      const { layers } = await ground.json<{ layers: string[] }>(["gc"]);
      collections++;
      layersRemoved += layers.length;
    }
  };
  const workers = Array.from(
    { length: 2 },
    (_, i) => worker(ground, images, `w${i}`, seed + i, end),
  );
  const counts = await Promise.all([...workers, collector()]);
  const made = counts.reduce((sum: number, count) => sum + (count ?? 0), 0);
  tell(
    `${driver.name}: seed ${seed}: ${made} creates beside ${collections} gc, which removed ` +
      `${layersRemoved} layers`,
  );
  assert(made >= 3 && collections >= 3, `only ${made} creates, and ${collections} gc`);
  if (driver.keepsLayers) assert(layersRemoved > 0, "gc has removed no layer: nothing is proven");
  await ground.assertClean();
  const left = ground.containers();
  if (left.length > 0) await ground.json(["rm", ...left]);
  await ground.json(["gc"]);
  assertEquals(await ground.json(["layers"]), []);
  await ground.assertClean();
}

/** Makes containers, looks at them, and removes them, most of the time. Returns how many. */
async function worker(
  ground: Ground,
  images: readonly StressImage[],
  prefix: string,
  seed: number,
  end: number,
): Promise<number> {
  const random = randomNumbers(seed);
  const kept = new Map<string, StressImage>();
  let made = 0;
  while (performance.now() < end) {
    const image = pick(random, images);
    const id = `${prefix}-${made++}`;
    await ground.create(id, image);
    await ground.assertFiles(id, image);
    kept.set(id, image);
    // As a rule nothing is left, so that gc finds layers to remove.
    if (random() < 0.2) continue;
    for (const [name, its] of kept) await ground.assertFiles(name, its);
    await ground.json(["rm", ...kept.keys()]);
    kept.clear();
  }
  for (const [id, image] of kept) await ground.assertFiles(id, image);
  // A container whose image nobody else has keeps working on layers that gc has spared.
  for (const id of kept.keys()) {
    const { code, stderr } = await run(["touch", `${ground.rootfs(id)}/written`]);
    assertEquals(code, 0, stderr);
  }
  return made;
}
