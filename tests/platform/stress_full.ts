/**
 * Full disks: whatever a command was at, it fails with exit status 7, leaves the store as it was, and
 * succeeds once there is space.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { must, type Outcome, run, Work } from "./harness.ts";
import { exists, Ground, type StressDriver, tell } from "./stress_ground.ts";
import { largeImage, noise, sharingImages, type StressImage } from "./stress_images.ts";

/** A place for stores whose space can be made scarce. */
export interface Space {
  readonly path: string;
  /** Bytes that a store in it takes. */
  used(store: string): Promise<number>;
  /** Leaves so many bytes free. */
  leave(store: string, bytes: number): Promise<void>;
  /** Gives all space back. */
  restore(store: string): Promise<void>;
}

/** One that can be filled altogether. */
export interface FillableDisk {
  /** For the name of the test. */
  readonly name: string;
  /** Bytes of a large file of the image. */
  readonly unit: number;
  /** Whether even a new store has no place there. */
  readonly holdsStore: boolean;
  /** `leave` is called with 0 alone. */
  space(work: Work): Promise<Pick<Space, "path" | "leave" | "restore">>;
}

/** How a disk is filled, and how much of it. */
export interface FullDisk extends FillableDisk {
  space(work: Work): Promise<Space>;
}

/** A tmpfs that a file fills, with the store's directory in it. */
export const FULL_TMPFS: FullDisk = {
  name: "tmpfs",
  unit: 400_000,
  holdsStore: true,
  space: async (work) => {
    const path = await work.tmpfs("full", "48m");
    const ballast = `${path}/ballast`;
    const bytes = async (column: string) => {
      const table = await must(["df", "--block-size=1", `--output=${column}`, path]);
      return Number(table.trim().split("\n").at(-1));
    };
    return {
      path,
      used: () => bytes("used"),
      leave: async (_, free) => {
        const length = await bytes("avail") - free;
        await must(["fallocate", "--length", String(length), ballast]);
      },
      restore: () => Deno.remove(ballast),
    };
  },
};

/** Parts of what a command takes that are left to it. */
const MANY_PARTS = [0, 0.01, 0.2, 0.45, 0.6, 0.8, 0.97];
const FEW_PARTS = [0.01, 0.5, 0.9];

/** A command that takes space, and what undoes it. */
interface Command {
  readonly args: readonly string[];
  readonly undo: readonly (readonly string[])[];
  readonly parts: readonly number[];
  /** How often it must fail: else the parts are badly chosen. */
  readonly failures: number;
}

/** Registers the test for one driver. */
export function fullTest(driver: StressDriver, disk: FullDisk): void {
  Deno.test({
    name: `${driver.name}: a full ${disk.name} is exit status 7, and leaves the store as it was`,
    ignore: driver.skip !== undefined,
    fn: async () => {
      await using work = await Work.create();
      const image = largeImage(work.directory, disk.unit);
      const space = await disk.space(work);
      if (disk.holdsStore) await firstUse(work, driver, space, image);
      const ground = await Ground.create(work, driver, space.path);
      await ground.create("first", image);
      const tree = work.path("tree");
      await must(["cp", "--archive", ground.rootfs("first"), tree]);
      await ground.json(["rm", "first"]);
      await ground.json(["gc"]);
      const full = new FullSeries(ground, space, image);
      const all = commands(driver, disk, image, tree);
      for (const command of all) await full.run(command);
      // Where the layers are there, what is left is a clone and a bundle. That takes next to nothing
      // of a dataset, and need not fail.
      await ground.create("keeper", image);
      const [create] = all;
      assert(create !== undefined);
      await full.run({ ...create, parts: [0, 0.3, 0.6], failures: disk.holdsStore ? 1 : 0 });
      if (disk.holdsStore) {
        await Deno.writeFile(`${ground.rootfs("keeper")}/change`, noise(2 * disk.unit, 99));
        await full.run(COMMIT);
      }
      tell(`${driver.name}, full ${disk.name}: ${full.failures} failures:\n${full.phases()}`);
    },
  });
}

/** Registers the test that what frees space needs none. */
export function fullRemovalTest(driver: StressDriver, disk: FillableDisk): void {
  Deno.test({
    name: `${driver.name}: rm and gc work on a full ${disk.name}`,
    ignore: driver.skip !== undefined,
    fn: async () => {
      await using work = await Work.create();
      const image = largeImage(work.directory, disk.unit);
      const [other] = sharingImages(work.directory, 1);
      assert(other !== undefined);
      const space = await disk.space(work);
      const ground = await Ground.create(work, driver, space.path);
      for (const id of ["web", "last"]) await ground.create(id, image);
      await ground.json(["rm", "last"]);
      await space.leave(ground.store, 0);
      assertFull(await ground.run("--json", "create", "--name", "other", other.reference));
      if (disk.holdsStore) {
        // A claim takes a block there. Without it, everything stays.
        assertFull(await ground.run("--json", "rm", "web"));
        assertEquals(ground.containers(), ["web"]);
        await space.restore(ground.store);
        await ground.assertFiles("web", image);
        await ground.json(["rm", "web"]);
        await space.leave(ground.store, 0);
      } else await ground.json(["rm", "web"]);
      await ground.json(["gc"]);
      await space.restore(ground.store);
      assertEquals(await ground.json(["layers"]), []);
      await ground.assertClean();
      await ground.create("other", other);
      await ground.assertFiles("other", other);
    },
  });
}

/** An image of the container "keeper", which is there and has changes. */
const COMMIT: Command = {
  args: ["commit", "keeper", "committed"],
  undo: [["rmi", "committed"]],
  parts: FEW_PARTS,
  failures: 2,
};

/** @param tree a directory with the files of the image */
function commands(
  driver: StressDriver,
  disk: FullDisk,
  image: StressImage,
  tree: string,
): Command[] {
  const { reference } = image;
  const create = {
    args: ["create", "--name", "web", reference],
    undo: [["rm", "web"]],
    parts: MANY_PARTS,
    failures: 4,
  };
  const plain = {
    args: ["create", "--name", "web", "--rootfs", tree, "true"],
    undo: [["rm", "web"]],
    parts: FEW_PARTS,
    failures: 2,
  };
  // Blobs are in the store's directory.
  const blobs = [{
    args: ["pull", reference, "--as", "pulled"],
    undo: [["rmi", "pulled"]],
    parts: FEW_PARTS,
    failures: 2,
  }, {
    args: ["squash", reference, "squashed"],
    undo: [["rmi", "squashed"]],
    parts: FEW_PARTS,
    failures: 2,
  }];
  const mount = {
    args: ["mount", reference],
    undo: [["unmount", reference]],
    parts: FEW_PARTS,
    failures: 2,
  };
  return [create, plain, ...(disk.holdsStore ? blobs : []), ...(driver.keepsLayers ? [mount] : [])];
}

/** A store that cannot even be made. */
async function firstUse(
  work: Work,
  driver: StressDriver,
  space: Space,
  image: StressImage,
): Promise<void> {
  const ground = await Ground.create(work, driver, space.path);
  await space.leave(ground.store, 0);
  assertFull(await ground.run("--json", "create", "--name", "web", image.reference));
  await space.restore(ground.store);
  await ground.create("web", image);
  await ground.assertFiles("web", image);
  await ground.assertClean();
  await ground.json(["rm", "web"]);
  await ground.json(["gc"]);
}

/** Returns the error's message. */
function assertFull({ code, stdout, stderr }: Outcome): string {
  assertEquals(code, 7, stdout + stderr);
  const { error } = JSON.parse(stdout);
  assertEquals(error.code, "storage-full", stdout);
  return error.message;
}

class FullSeries {
  failures = 0;
  readonly #ground: Ground;
  readonly #space: Space;
  readonly #image: StressImage;
  readonly #phases = new Set<string>();
  #containers: readonly string[] = [];

  constructor(ground: Ground, space: Space, image: StressImage) {
    this.#ground = ground;
    this.#space = space;
    this.#image = image;
  }

  /** What was being done when the space was out, for people to read. */
  phases(): string {
    return [...this.#phases].sort().map((phase) => `  ${phase}`).join("\n");
  }

  async run(command: Command): Promise<void> {
    const takes = await this.#takes(command);
    const before = await this.#state();
    this.#containers = this.#ground.containers();
    let failed = 0;
    for (const [index, part] of command.parts.entries()) {
      const { store } = this.#ground;
      await this.#space.leave(store, Math.floor(takes * part));
      const result = await this.#ground.run("--json", ...command.args);
      if (result.code !== 0) {
        failed++;
        this.#note(command, assertFull(result));
        await this.#isUnharmed();
      }
      await this.#space.restore(store);
      if (result.code !== 0) {
        // Every second time, the command itself has to do without what gc does.
        if (index % 2 === 0) assertEquals(await this.#swept(), before);
        await this.#ground.json(command.args);
      }
      await this.#looksRight(command);
      await this.#undo(command);
      assertEquals(await this.#swept(), before, `after ${command.args.join(" ")}, ${part}`);
    }
    this.failures += failed;
    assert(failed >= command.failures, `${command.args[0]} has failed ${failed} times only`);
  }

  /** Bytes that a command takes; the store is as before. */
  async #takes(command: Command): Promise<number> {
    const { store } = this.#ground;
    const used = await this.#space.used(store);
    await this.#ground.json(command.args);
    const takes = await this.#space.used(store) - used;
    await this.#undo(command);
    await this.#swept();
    return Math.max(takes, 0);
  }

  #note({ args }: Command, message: string): void {
    const phase = message.replaceAll(/[0-9a-f]{12,}/g, "…").replaceAll(/"[^"]*"/g, '"…"');
    this.#phases.add(`${args[0]}: ${phase}`);
  }

  /** With the disk still full: what can be looked at is as it was. */
  async #isUnharmed(): Promise<void> {
    assertEquals(this.#ground.containers(), this.#containers);
    assertEquals(await this.#ground.json(["images"]), []);
    const { problems } = await this.#ground.fsck();
    assertEquals(problems.filter(({ kind }) => kind !== "litter"), []);
  }

  async #looksRight({ args }: Command): Promise<void> {
    if (args[0] === "create") await this.#ground.assertFiles("web", this.#image);
    await this.#ground.assertClean();
  }

  async #undo({ undo }: Command): Promise<void> {
    for (const args of undo) {
      const { code, stdout, stderr } = await this.#ground.run(...args);
      assertEquals(code, 0, stdout + stderr);
    }
  }

  /** The state after gc. */
  async #swept(): Promise<string[]> {
    await this.#ground.json(["gc"]);
    return await this.#state();
  }

  async #state(): Promise<string[]> {
    assert(exists(this.#ground.store));
    return [...await this.#ground.inventory(), ...await this.#ground.mounts()];
  }
}

/** A dataset with a quota; the store's directory is elsewhere, and has space. */
export function fullDataset(datasetOf: (store: string) => string): FullDisk {
  return {
    name: "dataset",
    unit: 4_000_000,
    holdsStore: false,
    space: (work) => {
      const used = async (store: string) => {
        const get = ["zfs", "get", "-H", "-p", "-o", "value", "used", datasetOf(store)];
        return Number((await must(get)).trim());
      };
      const quota = (store: string, value: string) =>
        must(["zfs", "set", `quota=${value}`, datasetOf(store)]);
      return Promise.resolve({
        path: work.directory,
        used,
        leave: async (store, bytes) => {
          await run(["sync"]);
          await quota(store, String(await used(store) + bytes));
        },
        restore: async (store) => {
          await quota(store, "none");
        },
      });
    },
  };
}
