/**
 * The ratios that `deno task bench:check` guards. Every group takes part in its own rounds: ours and
 * what it is compared with run in turn, and the ratio is the median of the rounds' ratios, so that
 * what else the machine does strikes both alike.
 *
 * @module
 */

import { createCipheriv, createHash } from "node:crypto";
import { imageLayout } from "../tests/fixtures/image.ts";
import { dir, file, tarball, whiteout } from "../tests/fixtures/tar.ts";
import { layerfsCommand, must, Work } from "../tests/platform/harness.ts";
import { gzipAndTar, layerfs, type Material } from "./contestants.ts";
import { median } from "./median.ts";
import { measureSha256 } from "./sha256_rates.ts";
import { manyEntries, scan } from "./tar_scan.ts";

/** Ratios that are measured together. */
export interface RatioGroup {
  readonly names: readonly string[];
  /** Why this cannot be measured here; undefined where it can. */
  readonly obstacle?: string;
  /** One value for each name, in their order. */
  measure(): Promise<readonly number[]>;
}

type Timed = () => void | Promise<unknown>;

async function seconds(timed: Timed): Promise<number> {
  const start = performance.now();
  await timed();
  return (performance.now() - start) / 1000;
}

/** How many times as long as `reference` each takes: medians of `rounds`, after one to warm up. */
async function ratiosTo(
  reference: Timed,
  contenders: readonly Timed[],
  rounds: number,
): Promise<number[]> {
  const found = contenders.map(() => [] as number[]);
  for (let round = -1; round < rounds; round++) {
    const own = await seconds(reference);
    for (const [i, contender] of contenders.entries()) {
      const ratio = await seconds(contender) / own;
      if (round >= 0) found[i]!.push(ratio);
    }
  }
  return found.map(median);
}

/** Bytes that compress to three quarters, the same for the same seed. */
function text(bytes: number, seed: number): Uint8Array {
  const key = createHash("md5").update(`${seed}`).digest();
  const stream = createCipheriv("aes-128-ctr", key, new Uint8Array(16));
  const noise = stream.update(new Uint8Array(Math.ceil(bytes * 3 / 4)));
  return new TextEncoder().encode(noise.toString("base64")).subarray(0, bytes);
}

/** An image of three layers: 24 files of 1 MiB; 4,000 files of 2 KiB; deletions and one of 16 MiB. */
function moderateImage(directory: string): Material {
  const large = Array.from({ length: 24 }, (_, i) => file(`large/${i}`, text(1 << 20, i)));
  const small = Array.from({ length: 4000 }, (_, i) => {
    const place = `small/d${i / 100 | 0}`;
    const one = file(`${place}/${i}`, text(1024 + i % 2048, i));
    return i % 100 === 0 ? [dir(place), one] : [one];
  }).flat();
  const last = [whiteout("large/3"), whiteout("small/d7"), file("last", text(16 << 20, -1))];
  const { layerDigests } = imageLayout(directory, {
    layers: [[dir("large"), ...large], [dir("small"), ...small], last].map((members) => ({
      tar: tarball(members),
      compression: "gzip",
    })),
    index: ({ manifests }) => {
      for (const manifest of manifests as Record<string, unknown>[]) {
        manifest.annotations = { "org.opencontainers.image.ref.name": "bench" };
      }
    },
  });
  const blobs = layerDigests.map((digest) => `${directory}/blobs/${digest.replace(":", "/")}`);
  return { layout: directory, blobs, tars: [] };
}

const evalNothing: Timed = () => must([Deno.execPath(), "eval", "0"]);

const sha256: RatioGroup = {
  names: ["SHA-256, one stream / hash-wasm", "four lanes / hash-wasm", "one stream / node:crypto"],
  async measure() {
    const { one, lanes4, hashWasm, node } = await measureSha256();
    return [hashWasm / one, hashWasm / lanes4, node / one];
  },
};

const scanning: RatioGroup = {
  names: ["tar scan of 20,000 entries / SHA-256 of them by node:crypto"],
  measure() {
    const bytes = manyEntries();
    const hash = () => void createHash("sha256").update(bytes).digest();
    for (let i = 0; i < 5; i++) scan(bytes, null);
    return ratiosTo(hash, [() => scan(bytes, null)], 41);
  },
};

const start: RatioGroup = {
  names: ["--version / deno eval 0"],
  async measure() {
    const command = await layerfsCommand();
    return await ratiosTo(evalNothing, [() => must([...command, "--version"])], 31);
  },
};

const isRoot = Deno.uid() === 0;
const rootOnly = isRoot ? {} : { obstacle: "takes root: it mounts, and its baseline is root's" };

const coldCreate: RatioGroup = {
  names: ["cold create, wasm / gzip -dc, tar -x", "cold create, native / gzip -dc, tar -x"],
  ...rootOnly,
  async measure() {
    await using work = await Work.create();
    const disk = await work.tmpfs("check", "25%");
    const material = moderateImage(`${disk}/image`);
    const field = [gzipAndTar(material), ...await layerfs(material, "directory")];
    const [reference, ...ours] = field.map((contestant, i) => async () => {
      for (const { argv } of contestant.steps(`${disk}/out${i}`)) await must(argv);
    });
    const found = ours.map(() => [] as number[]);
    for (let round = 0; round < 11; round++) {
      const times: number[] = [];
      for (const [i, contender] of [reference!, ...ours].entries()) {
        await Deno.mkdir(`${disk}/out${i}`);
        times.push(await seconds(contender));
        await must(["rm", "-rf", "--one-file-system", `${disk}/out${i}`]);
      }
      for (const [i, list] of found.entries()) list.push(times[i + 1]! / times[0]!);
    }
    return found.map(median);
  },
};

const warmCreate: RatioGroup = {
  names: ["warm create, overlay / deno eval 0"],
  ...rootOnly,
  async measure() {
    await using work = await Work.create();
    const disk = await work.tmpfs("check", "25%");
    const { layout } = moderateImage(`${disk}/image`);
    const base = [...await layerfsCommand(), "--store", `${disk}/store`, "--driver", "overlay"];
    const ids: string[] = [];
    const create = async () => {
      const text = await must([...base, "create", "--json", `oci:${layout}:bench`]);
      ids.push(JSON.parse(text).id);
    };
    try {
      await create();
      return await ratiosTo(evalNothing, [create], 21);
    } finally {
      if (ids.length > 0) await must([...base, "rm", "--force", ...ids]);
    }
  },
};

/** All of them, the quick ones first. */
export const RATIO_GROUPS: readonly RatioGroup[] = [
  sha256,
  scanning,
  start,
  warmCreate,
  coldCreate,
];
