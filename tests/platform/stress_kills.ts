/**
 * kill -9 at random moments: what is left must be litter, and nothing else.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Work } from "./harness.ts";
import {
  type Collected,
  Ground,
  killAfter,
  pick,
  randomNumbers,
  setting,
  type StressDriver,
  tell,
} from "./stress_ground.ts";
import { sharingImages, type StressImage } from "./stress_images.ts";

/** How many kills there are between two looks at all the rest. */
const ROUND = 20;

/** In how many cases of a kill the next command is a create. */
const CREATES_NEXT = 0.2;

/** Names that containers get. */
const NAMES = ["one", "two"];

/** A command, in the form that its usual time is known by. */
type Verb = "create" | "warm create" | "rm" | "gc" | "pull" | "squash" | "mount" | "unmount";

/** A command line that is right in the state that the store is in. */
interface Action {
  readonly verb: Verb;
  readonly args: readonly string[];
}

/** Registers the test for one driver. `kills` is how many there are, where nobody says otherwise. */
export function killTest(driver: StressDriver, kills: number): void {
  Deno.test({
    name: `${driver.name}: kill -9 at random moments leaves litter only`,
    ignore: driver.skip !== undefined,
    fn: async () => {
      await using work = await Work.create();
      const seed = setting(
        "LAYERFS_STRESS_SEED",
        crypto.getRandomValues(new Uint32Array(1))[0] ?? 1,
      );
      const count = setting("LAYERFS_STRESS_KILLS", kills);
      const series = await KillSeries.create(work, driver, seed);
      try {
        await series.run(count);
      } catch (error) {
        const last = series.history.slice(-6).join("\n");
        throw new Error(`with LAYERFS_STRESS_SEED=${seed}, after:\n${last}`, { cause: error });
      }
    },
  });
}

class KillSeries {
  /** What was done, for people to read. */
  readonly history: string[] = [];
  readonly #ground: Ground;
  readonly #driver: StressDriver;
  readonly #images: readonly StressImage[];
  readonly #random: () => number;
  /** Milliseconds that each command takes undisturbed. */
  readonly #usual = new Map<Verb, number>();
  /** Image of each container. */
  readonly #made = new Map<string, StressImage>();
  readonly #seed: number;
  #tries = 0;
  #killed = 0;
  #littered = 0;
  /** Layers whose contents were compared. */
  #compared = 0;

  private constructor(
    ground: Ground,
    driver: StressDriver,
    images: readonly StressImage[],
    seed: number,
  ) {
    this.#ground = ground;
    this.#driver = driver;
    this.#images = images;
    this.#random = randomNumbers(seed);
    this.#seed = seed;
  }

  static async create(work: Work, driver: StressDriver, seed: number): Promise<KillSeries> {
    const ground = await Ground.create(work, driver);
    return new KillSeries(ground, driver, sharingImages(work.directory, 4), seed);
  }

  async run(kills: number): Promise<void> {
    await this.#measure();
    const empty = await this.#ground.inventory();
    while (this.#killed < kills) {
      const before = this.#killed;
      await this.#disturb(this.#choose());
      this.#tries++;
      // Else the moments are badly chosen.
      assert(this.#tries < 10 + 3 * kills, `${this.#killed} of ${this.#tries} were killed at work`);
      if (this.#killed > before && this.#killed % ROUND === 0) await this.#settle();
    }
    await this.#end(empty);
    tell(
      `${this.#driver.name}: seed ${this.#seed}: ${this.#killed} of ${this.#tries} commands were ` +
        `killed at work, ${this.#littered} left litter; the contents of ${this.#compared} layers ` +
        "were compared",
    );
    // Else nothing is proven.
    assert(this.#littered > kills / 10, `only ${this.#littered} of ${kills} have left litter`);
    assertEquals(this.#compared > 0, this.#driver.keepsLayers);
  }

  /** Does everything once undisturbed, and leaves an empty store. */
  async #measure(): Promise<void> {
    const [first] = this.#images;
    assert(first !== undefined);
    const reference = first.reference;
    await this.#time("create", "create", "--name", "first", reference);
    await this.#time("warm create", "create", "--name", "second", reference);
    await this.#time("pull", "pull", reference, "--as", "pulled");
    await this.#time("squash", "squash", reference, "squashed");
    if (this.#driver.keepsLayers) {
      await this.#time("mount", "mount", reference);
      await this.#time("unmount", "unmount", reference);
    }
    await this.#time("rm", "rm", "first", "second");
    await this.#ground.json(["rmi", "pulled", "squashed"]);
    await this.#time("gc", "gc");
  }

  async #time(verb: Verb, ...args: string[]): Promise<void> {
    const start = performance.now();
    await this.#ground.json(args);
    this.#usual.set(verb, performance.now() - start);
  }

  /** A command that can succeed now. */
  #choose(): Action {
    const image = pick(this.#random, this.#images);
    const there = this.#ground.containers();
    const free = NAMES.filter((name) => !there.includes(name));
    const draw = this.#random();
    if (draw < 0.35 && free.length > 0) return this.#creation(pick(this.#random, free), image);
    if (draw < 0.6 && there.length > 0) {
      return { verb: "rm", args: ["rm", pick(this.#random, there)] };
    }
    if (draw < 0.85) return { verb: "gc", args: ["gc"] };
    if (draw < 0.9) return { verb: "pull", args: ["pull", image.reference, "--as", "pulled"] };
    if (draw < 0.93) return { verb: "squash", args: ["squash", image.reference, "squashed"] };
    if (!this.#driver.keepsLayers) return { verb: "gc", args: ["gc"] };
    const verb = draw < 0.97 ? "mount" : "unmount";
    return { verb, args: [verb, image.reference] };
  }

  #creation(name: string, image: StressImage): Action {
    const isWarm = [...this.#made.values()].includes(image);
    this.#made.set(name, image);
    const args = ["create", "--name", name, image.reference];
    return { verb: isWarm ? "warm create" : "create", args };
  }

  /** Runs a command, kills it at some moment, and looks at what it has left. */
  async #disturb({ verb, args }: Action): Promise<void> {
    // Deno takes a while to start: in the first part nothing happens.
    const usual = this.#usual.get(verb) ?? 0;
    const delay = (0.2 + 0.75 * this.#random()) * usual;
    const all = this.#random() < 0.25;
    this.history.push(`${args.join(" ")}: killed after ${Math.round(delay)} ms, all: ${all}`);
    const { killed, outcome, took } = await killAfter(this.#ground.argv(args), delay, all);
    this.history.push(`  killed: ${killed}`);
    // The machine has other work at other times; and what was killed may have been far from its end.
    this.#usual.set(verb, killed ? Math.max(usual, took * 1.05) : (usual + took) / 2);
    if (!killed) return assertEquals(outcome.code, 0, outcome.stderr);
    this.#killed++;
    const { problems } = await this.#ground.fsck();
    if (problems.length > 0) this.#littered++;
    assertEquals(problems.filter(({ kind }) => kind !== "litter"), []);
    await this.#assertMounts();
    if (this.#random() < CREATES_NEXT) await this.#createNext();
  }

  /** Whatever was killed, the next command does its work. */
  async #createNext(): Promise<void> {
    this.history.push("create next");
    const image = pick(this.#random, this.#images);
    await this.#ground.create("next", image);
    await this.#ground.assertFiles("next", image);
    await this.#assertWhole();
    await this.#ground.json(["rm", "next"]);
  }

  /** After gc and a create that nobody disturbs, everything is as if there had been no kills. */
  async #settle(): Promise<void> {
    await this.#assertWhole();
    this.history.push("gc, create");
    await this.#ground.json<Collected>(["gc"]);
    const image = pick(this.#random, this.#images);
    await this.#ground.create("settled", image);
    await this.#ground.assertFiles("settled", image);
    for (const id of this.#ground.containers().filter((name) => name !== "settled")) {
      const made = this.#made.get(id);
      assert(made !== undefined);
      await this.#ground.assertFiles(id, made);
    }
    await this.#assertClean();
    assertEquals(this.#names("staging"), []);
    await this.#assertMounts();
    await this.#ground.json(["rm", "settled"]);
  }

  /**
   * Nothing is left but what gc cannot know: that ZFS has no dataset of a layer that a file of the store
   * and a tagged image name. To ask would take a call for all layers; fsck does, and mends it.
   */
  async #assertClean(): Promise<void> {
    const { problems } = await this.#ground.fsck();
    const isLoneFile = ({ kind, detail }: typeof problems[number]) =>
      kind === "litter" && detail.includes("ZFS no dataset");
    assertEquals(problems.filter((problem) => !isLoneFile(problem)), []);
    if (problems.length > 0) await this.#ground.fsck("--repair");
    await this.#ground.assertClean();
  }

  /** Every mount in the store is a container's, an image's that somebody mounts, or litter's. */
  async #assertMounts(): Promise<void> {
    const { store } = this.#ground;
    const litter = this.#names("staging").length > 0;
    const expected = new Set(this.#ground.containers().map((id) => this.#ground.rootfs(id)));
    const strange = (await this.#ground.mounts()).filter((mount) =>
      !expected.has(mount) && !mount.startsWith(`${store}/views/`) && !litter
    );
    assertEquals(strange, [], "mounts that belong to nothing");
  }

  #names(place: string): string[] {
    return [...Deno.readDirSync(`${this.#ground.store}/${place}`)].map(({ name }) => name);
  }

  /** Checks all that was made, removes it, and looks whether anything stays. */
  async #end(empty: readonly string[]): Promise<void> {
    this.history.push("the end");
    await this.#settle();
    const there = this.#ground.containers();
    if (there.length > 0) await this.#ground.json(["rm", ...there]);
    // Of an index.json in the making, a kill leaves one file, which the next writer takes away.
    await this.#ground.json(["pull", pick(this.#random, this.#images).reference, "--as", "last"]);
    const images = await this.#ground.json<{ name: string; tag: string }[]>(["images"]);
    for (const { name, tag } of images) await this.#ground.json(["rmi", `${name}:${tag}`]);
    if (this.#driver.keepsLayers) {
      for (const { reference } of this.#images) await this.#ground.json(["unmount", reference]);
    }
    await this.#ground.json(["gc"]);
    assertEquals(await this.#ground.mounts(), []);
    assertEquals(await this.#ground.inventory(), empty);
  }

  /** Every layer that is there, whether anything needs it or not, has the contents of its image. */
  async #assertWhole(): Promise<void> {
    this.history.push("fsck --deep");
    const { checked, problems } = await this.#ground.fsck("--deep");
    assertEquals(problems.filter(({ kind }) => kind !== "litter"), []);
    this.#compared += checked.contents;
  }
}
