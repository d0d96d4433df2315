/**
 * Layers that are unpacked apart and become the upper directories of overlays: the same as if each
 * had been applied in its turn, on top of those below it.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gzipSync } from "node:zlib";
import { NeedsLower } from "../../src/layer/apart.ts";
import { LayerfsError } from "../../src/errors.ts";
import { treeApart } from "../../src/layer/layer_streams.ts";
import type { ToldTree } from "../../src/layer/lower_tree.ts";
import { checkOverlaid, finishOverlaid } from "../../src/layer/overlaid_layer.ts";
import { NO_TRAITS, type Traits } from "../../src/layer/traits.ts";
import { Tree } from "../../src/layer/tree.ts";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import { extractNow } from "../fixtures/extract_now.ts";
import { digestOf, imageLayout } from "../fixtures/image.ts";
import {
  DEFAULT_ACL,
  dir,
  file,
  latin1,
  opaque,
  symlink,
  tarball,
  whiteout,
} from "../fixtures/tar.ts";
import { describe } from "../fixtures/tree.ts";
import { assertExact, scanMembers } from "../layer/told.ts";
import { randomStack, type Stack } from "../layer/stacks.ts";
import { Layerfs, must, Work } from "./harness.ts";
import { chainIdOf, OverlayStore } from "./overlay_store.ts";
import { noise } from "./stress_images.ts";

/** What the layers so far have left. */
interface Below {
  readonly record: LayerRecord | null;
  readonly traits: Traits;
  readonly told: ToldTree | null;
}

const NOTHING_BELOW: Below = { record: null, traits: NO_TRAITS, told: null };

type Members = readonly Uint8Array[];

/** Makes layers of a stack in a store of its own. */
class Stacked implements AsyncDisposable {
  readonly #work: Work;
  readonly store: OverlayStore;
  /** Layers that were unpacked apart. */
  readonly apart: number[] = [];

  private constructor(work: Work, store: OverlayStore) {
    this.#work = work;
    this.store = store;
  }

  static async create(): Promise<Stacked> {
    const work = await Work.create();
    return new Stacked(work, await OverlayStore.create(work));
  }

  /** Describes the tree of a stack; an error's code where there is none. */
  async make(layers: Stack, mayBeApart: boolean) {
    let below = NOTHING_BELOW;
    for (const [index, members] of layers.entries()) {
      try {
        below = await this.#add(index, members, below, mayBeApart && index > 0);
      } catch (error) {
        if (error instanceof LayerfsError) return { error: error.code };
        throw error;
      }
    }
    const top = below.record!.chainId;
    return { tree: await describe(await this.store.view(top)), traits: below.traits };
  }

  async #add(index: number, members: Members, below: Below, mayBeApart: boolean): Promise<Below> {
    const { driver } = this.store;
    const chainId = chainIdOf(`layer ${index}`);
    await using staging = this.store.stage();
    const apart = mayBeApart ? this.#apart(`${staging.path}/apart`, index, members, below) : null;
    const own = apart?.root ?? null;
    await using staged = await driver.prepareLayer(chainId, below.record, staging.name, own);
    const tree = new Tree(staged.root, staging.path, true, extractNow(), {
      traits: below.traits,
      hasLayers: below.record !== null,
      told: below.told,
      keepsNames: apart !== null,
      tells: true,
      isPlain: true,
    });
    if (apart === null) scanMembers(tree, members);
    else finishOverlaid(tree, apart, staged.own!);
    const traits = tree.finish();
    tree.spool.close();
    const { told } = tree;
    assertExact(told!, staged.root);
    const parent = below.record?.chainId ?? null;
    const record = { chainId, diffId: chainId, parent, traits };
    await staged.commit(record);
    return { record, traits, told };
  }

  /** Unpacks a layer apart; null where it depends on those below it. */
  #apart(place: string, index: number, members: Members, { told }: Below): Tree | null {
    const apart = treeApart(place, { layer: index, asRoot: true, isPlain: true }, extractNow());
    try {
      scanMembers(apart, members);
      checkOverlaid(told, apart);
      apart.spool.flush();
      this.apart.push(index);
      return apart;
    } catch (error) {
      if (error instanceof NeedsLower || error instanceof LayerfsError) return null;
      throw error;
    } finally {
      apart.spool.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#work[Symbol.asyncDispose]();
  }
}

/** Asserts that a stack gives the same in both ways; returns what, and which layers went apart. */
async function assertSame(layers: Stack) {
  await using inTurn = await Stacked.create();
  await using overlaid = await Stacked.create();
  const expected = await inTurn.make(layers, false);
  const made = await overlaid.make(layers, true);
  assertEquals(made, expected);
  return { ...made, apart: overlaid.apart };
}

const STACKS = 80;
const STACKS_A_TEST = 20;

for (let first = 1001; first <= 1000 + STACKS; first += STACKS_A_TEST) {
  const last = first + STACKS_A_TEST - 1;
  Deno.test(`random stacks ${first} to ${last} are the same, overlaid or in turn`, async () => {
    let apart = 0;
    for (let seed = first; seed <= last; seed++) {
      try {
        apart += (await assertSame(randomStack(seed))).apart.length;
      } catch (error) {
        throw new Error(`stack of seed ${seed}`, { cause: error });
      }
    }
    assert(apart > STACKS_A_TEST / 3, `only ${apart} layers were unpacked apart`);
  });
}

/** What lower layers have, in the order of the entries. */
const BASE: Members = [
  dir("./", { mode: 0o711, mtime: 3 }),
  dir("d", { mode: 0o750, uid: 7, mtime: 5 }),
  file("d/kept", "1"),
  file("d/gone", "1"),
  dir("d/sub", { mtime: 6 }),
  file("d/sub/f", "1"),
  dir("full"),
  file("full/old", "1"),
  file("file", "1"),
  symlink("link", "d"),
  dir("covered"),
  dir("covered/deep"),
  file("covered/deep/f", "1"),
];

/** Layers on top of BASE, whether they can stay apart, and what is looked at. */
const CASES: readonly {
  name: string;
  members: Members;
  more?: Stack;
  apart: readonly number[];
}[] = [
  {
    name: "files, new directories, replaced attributes, the root's too",
    members: [
      dir("./", { mode: 0o755, mtime: 9 }),
      dir("d", { mode: 0o700, uid: 8, gid: 9, mtime: 10 }),
      file("d/new", "2"),
      dir("fresh", { mode: 0o2755 }),
      file("fresh/f", "2"),
    ],
    apart: [1],
  },
  {
    name: "directories that are only implied keep what those below have said of them",
    members: [file("d/sub/new", "2")],
    apart: [1],
  },
  {
    name: "whiteouts before and behind what the layer itself has",
    members: [
      whiteout("d/gone"),
      whiteout("d/sub"),
      dir("d/sub", { mtime: 7 }),
      file("d/sub/new", "2"),
      file("full/new", "2"),
      opaque("full"),
      whiteout("d/never"),
    ],
    apart: [1],
  },
  {
    name: "a directory that is hidden, and then only implied, has nothing of the old one",
    members: [file("d/new", "2"), whiteout("d")],
    apart: [1],
  },
  {
    name: "a whiteout below another one leaves nothing of either",
    members: [whiteout("covered/deep/f"), whiteout("covered/deep"), whiteout("covered")],
    apart: [1],
  },
  {
    name: "a file and a link take the places of directories, for the layers above too",
    members: [file("covered", "2"), symlink("d", "full")],
    more: [[file("covered2/f"), dir("full"), file("full/x")], [dir("covered"), file("covered/f")]],
    apart: [1, 3],
  },
  {
    name: "directories take the places of a file and a link, if the layer says so",
    members: [dir("file", { mtime: 8 }), file("file/f", "2"), dir("link"), file("link/f", "2")],
    more: [[file("link/g", "3"), whiteout("file/f")]],
    apart: [1, 2],
  },
  { name: "a path through a link of the layers below", members: [file("link/f", "2")], apart: [] },
  { name: "a whiteout through a link", members: [whiteout("link/kept")], apart: [] },
  {
    name: "a directory that is only implied, where there is a file",
    members: [file("file/f", "2")],
    apart: [],
  },
  {
    name: "a directory whose entry comes too late, where there is a file",
    members: [file("file/f", "2"), dir("file")],
    apart: [],
  },
  {
    name: "a default access control list below",
    members: [dir("d", DEFAULT_ACL)],
    more: [[dir("d"), file("d/x", "3")]],
    apart: [1],
  },
  {
    name: "names that are not UTF-8 below a layer that hides nothing, and one that does",
    members: [
      dir(latin1("d/\xff")),
      file(latin1("d/\xff/\xfe"), "2"),
      symlink("raw", latin1("\xfd")),
    ],
    more: [
      [file("d/new", "3")],
      [file("raw", "4")],
      [whiteout("d/gone")],
      [file("d/sub", "5"), file("full/x", "5")],
    ],
    apart: [2, 3, 5],
  },
  {
    name: "directories with extended attributes below one that is only implied",
    members: [dir("d", { pax: { "SCHILY.xattr.user.k": "v" } })],
    more: [[file("d/sub/x", "3")], [dir("d"), file("d/y", "4")]],
    apart: [1, 3],
  },
];

for (const { name, members, more = [], apart } of CASES) {
  Deno.test(`overlaid: ${name}`, async () => {
    const made = await assertSame([BASE, members, ...more]);
    assertEquals(made.apart, apart);
  });
}

/** Bytes that do not compress: layers so large are unpacked apart. */
const bulk = (mebibytes: number) => noise(mebibytes * 1024 * 1024, mebibytes);

const LARGE: Stack = [
  [dir("usr/lib"), dir("lib"), dir("etc", { mtime: 5 }), file("base", bulk(4))],
  [symlink("lib", "usr/lib")],
  [file("lib/foo.so", bulk(1)), file("etc/passwd", "root\n")],
];

Deno.test("a layer above one that is there already is made anew as it was", async () => {
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work, ["--driver", "overlay"]);
  const layers = LARGE.map((members) => ({ tar: tarball(members) }));
  const { reference } = imageLayout(work.path("image"), { layers });
  const make = async () => {
    const { id, rootfs, layers: { applied } } = await layerfs.create([reference]);
    const tree = await describe(rootfs);
    await must(layerfs.argv(["rm", id]));
    return { tree, applied };
  };
  const first = await make();
  assertEquals(first.tree["usr/lib/foo.so"]?.type, "file");
  for (const { name } of Deno.readDirSync(`${layerfs.store}/layers`)) {
    const record = `${layerfs.store}/layers/${name}/layer.json`;
    const { diffId } = JSON.parse(Deno.readTextFileSync(record));
    if (diffId !== digestOf(layers[1]!.tar)) Deno.writeTextFileSync(record, "damaged");
  }
  const second = await make();
  assertEquals(second, { tree: first.tree, applied: 2 });
});

Deno.test("a create that fails at one layer leaves nothing of those that were apart", async () => {
  await using work = await Work.create();
  const layerfs = await Layerfs.inside(work, ["--driver", "overlay"]);
  const many = Array.from({ length: 20_000 }, (_, i) => dir(`many/${i}`));
  const tars = [[file("base", bulk(4))], [file("second", bulk(2))], [...many, file("x", bulk(3))]]
    .map((members) => tarball(members));
  const layers = tars.map((tar, layer) => {
    if (layer !== 1) return { tar, compression: "gzip" as const };
    const blob = gzipSync(tar);
    blob[blob.length >> 1]! ^= 1;
    return { tar, blob, digest: digestOf(gzipSync(tar)), size: blob.length };
  });
  const { reference } = imageLayout(work.path("image"), { layers });
  const { code, stderr } = await layerfs.run(["create", reference]);
  assertEquals(code, 3, stderr);
  assertStringIncludes(stderr, "layer 2 of 3");
  const left = (await layerfs.contents()).filter((name) => name.startsWith("staging"));
  assertEquals(left, []);
});
