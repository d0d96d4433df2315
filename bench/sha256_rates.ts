/**
 * How fast SHA-256 is, as ratios: implementations in turn, in one process, after their code is
 * optimised, so that what else the machine does strikes all of them alike.
 *
 * Run with `deno task bench:sha256`: prints one JSON object.
 *
 * @module
 */

import { sha256 } from "@noble/hashes/sha2";
import { createHash } from "node:crypto";
import { createSHA256 } from "hash-wasm";
import { createHasher, type Hasher } from "../src/core/hasher.ts";
import { HasherLanes } from "../src/core/hasher_lanes.ts";

/** Bytes a second on one core, the median of all rounds; lanes in total. */
export interface Sha256Rates {
  /** One stream, by the module. */
  readonly one: number;
  /** Two and four streams at a time, by its lanes. */
  readonly lanes2: number;
  readonly lanes4: number;
  readonly hashWasm: number;
  readonly noble: number;
  readonly node: number;
}

const PIECE = 1 << 18;
const PIECES = 4;
const ROUNDS = 60;

/** One step of each implementation, over this many bytes. */
interface Contender {
  readonly bytes: number;
  run(): void;
}

/** Streams in turn, each `PIECES` pieces long. */
function streams(count: number, piece: Uint8Array, open: () => Hasher): Contender {
  return {
    bytes: count * PIECES * PIECE,
    run() {
      const hashers = Array.from({ length: count }, open);
      for (let i = 0; i < PIECES; i++) for (const hasher of hashers) hasher.update(piece);
      for (const hasher of hashers) hasher.digest();
    },
  };
}

/** Measures for about three seconds. */
export async function measureSha256(): Promise<Sha256Rates> {
  const piece = new Uint8Array(PIECE).fill(0x5a);
  const whole = new Uint8Array(PIECES * PIECE).fill(0x5a);
  const hashWasm = await createSHA256();
  const lanes = new HasherLanes();
  const contenders: Record<keyof Sha256Rates, Contender> = {
    one: streams(1, piece, () => createHasher("sha256", "wasm")),
    lanes2: streams(2, piece, () => lanes.open()),
    lanes4: streams(4, piece, () => lanes.open()),
    hashWasm: {
      bytes: whole.length,
      run: () => void hashWasm.init().update(whole).digest("binary"),
    },
    noble: { bytes: whole.length, run: () => void sha256(whole) },
    node: {
      bytes: whole.length,
      run: () => void createHash("sha256").update(whole).digest(),
    },
  };
  const names = Object.keys(contenders) as (keyof Sha256Rates)[];
  const times = new Map(names.map((name) => [name, [] as number[]]));
  for (let warm = 0; warm < 10; warm++) for (const name of names) contenders[name].run();
  // Optimised code is made beside; give it the time.
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const start = performance.now();
      contenders[name].run();
      times.get(name)!.push(performance.now() - start);
    }
  }
  const rate = (name: keyof Sha256Rates) => {
    const median = times.get(name)!.sort((a, b) => a - b)[ROUNDS >> 1]!;
    return contenders[name].bytes / median * 1000;
  };
  return Object.fromEntries(names.map((name) => [name, rate(name)])) as unknown as Sha256Rates;
}

if (import.meta.main) {
  const rates = await measureSha256();
  const ratios = Object.entries(rates).map(([name, rate]) => [name, rate / rates.hashWasm]);
  const json = JSON.stringify(
    { bytesPerSecond: rates, toHashWasm: Object.fromEntries(ratios) },
    null,
    2,
  );
  await Deno.stdout.write(new TextEncoder().encode(json + "\n"));
}
