/**
 * The thread that computes digests: of all tar streams that are in the rings at a time, and of blobs.
 *
 * The tar streams come first, as others wait for their rings; a blob can be read at any time. So
 * blobs are what fills the lanes of a vector where there are too few tar streams, and the time in
 * which none has come.
 *
 * @module
 */

import { createHasher, type DigestEngine, formatDigest, type Hasher } from "../core/hasher.ts";
import { HasherLanes, LANES } from "../core/hasher_lanes.ts";
import type { LaneHasher, PlacedHasher } from "../core/lane_hashers.ts";
import type { DigestAlgorithm } from "../oci/digest.ts";
import { FileInput } from "./blob_input.ts";
import { BELL, Board } from "./board.ts";
import {
  type BlobToDigest,
  type DigestMessage,
  type DigestRequest,
  isInterruption,
  sendable,
} from "./messages.ts";
import { DIGEST_READER, RingReader } from "./ring.ts";

/** Bytes of a stream that are digested before the others get their turn. */
const PIECE_BYTES = 512 * 1024;

declare const self: {
  onmessage: ((event: MessageEvent<DigestRequest>) => void) | null;
  postMessage(message: DigestMessage): void;
};

self.onmessage = ({ data }) => {
  try {
    new Digester(data).run();
  } catch (error) {
    // Whoever has cancelled waits for no digest.
    if (!isInterruption(error)) throw error;
  }
};

type AnyHasher = Hasher & Partial<Pick<LaneHasher, "room"> & Disposable>;

/** Makes hashers; those that can share a vector do. */
class Hashers {
  readonly #engine: DigestEngine;
  readonly #lanes: HasherLanes | null;

  /** @param memory where the rings lie; null where they do not lie in the memory of lanes */
  constructor(engine: DigestEngine, memory: WebAssembly.Memory | null) {
    this.#engine = engine;
    this.#lanes = memory === null ? null : new HasherLanes(memory);
  }

  /** For bytes from anywhere. */
  open(algorithm: DigestAlgorithm): AnyHasher {
    if (this.#lanes !== null && algorithm === "sha256") return this.#lanes.open();
    return createHasher(algorithm, this.#engine);
  }

  /** For what is in a ring. */
  openPlaced(algorithm: DigestAlgorithm): RingHasher {
    if (this.#lanes !== null && algorithm === "sha256") return this.#lanes.openPlaced();
    return new EagerHasher(createHasher(algorithm, this.#engine));
  }
}

/** A hasher of a stream in a ring, of whatever algorithm. */
type RingHasher = Omit<PlacedHasher, "algorithm"> & { readonly algorithm: DigestAlgorithm };

/** Waits for nobody. */
class EagerHasher implements RingHasher {
  readonly algorithm: DigestAlgorithm;
  readonly #hasher: Hasher;
  #used = 0;

  constructor(hasher: Hasher) {
    this.algorithm = hasher.algorithm;
    this.#hasher = hasher;
  }

  offer(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
    this.#used += bytes.length;
  }

  hurry(): void {}

  takeUsed(): number {
    const used = this.#used;
    this.#used = 0;
    return used;
  }

  digest(): Uint8Array {
    return this.#hasher.digest();
  }

  [Symbol.dispose](): void {}
}

class Digester {
  readonly #board: Board;
  readonly #hashers: Hashers;
  readonly #tars: readonly TarDigester[];
  readonly #running: BlobDigester[] = [];
  /** Blobs to come. */
  readonly #blobs: BlobToDigest[];

  constructor({ board, rings, algorithms, blobs, engine, memory }: DigestRequest) {
    this.#board = new Board(board);
    this.#hashers = new Hashers(engine, memory);
    this.#tars = rings.map((ring) => {
      return new TarDigester(new RingReader(ring, DIGEST_READER), algorithms, this.#hashers);
    });
    this.#blobs = [...blobs];
  }

  /** Until it is cancelled. */
  run(): never {
    for (;;) this.#board.wait(BELL.digest, () => this.#turn());
  }

  /** @returns whether anything was done */
  #turn(): boolean {
    let isDone = false;
    for (const tar of this.#tars) {
      if (!tar.step()) continue;
      isDone = true;
      this.#fill();
    }
    if (isDone || (!this.#isPaced && this.#fill())) return true;
    // Others may be about to come: a stream can wait, as long as nobody waits for its room.
    for (const tar of this.#tars) if (tar.hurry()) isDone = true;
    return isDone;
  }

  /**
   * Whether blobs go on behind pieces of a tar stream only, and not while more of it is awaited: where it
   * is the only one, they would take the processor from whoever inflates it, and be done long before it
   * (measured: one layer of 512 MiB takes 0.83 of the time).
   */
  get #isPaced(): boolean {
    const open = this.#tars.filter((tar) => tar.isOpen);
    return open.length === 1 && open[0]!.isComing;
  }

  /** Goes on with as many blobs as there are lanes without a tar stream. @returns whether with any */
  #fill(): boolean {
    const open = this.#tars.filter((tar) => tar.isOpen).length;
    const lanes = LANES - open;
    while (this.#running.length < lanes && this.#blobs.length > 0) {
      this.#running.push(new BlobDigester(this.#blobs.shift()!, this.#board, this.#hashers));
    }
    // While more of a tar stream is to come, a blob is better digested together with that.
    const isComing = this.#tars.some((tar) => tar.isComing);
    const filling = this.#running.slice(0, lanes).filter((blob) => !isComing || blob.hasRoom);
    for (const blob of filling) {
      if (!blob.step()) this.#running.splice(this.#running.indexOf(blob), 1);
    }
    return filling.length > 0;
  }
}

/** Whether a hasher takes a piece without having to digest any. */
function hasRoom(hasher: AnyHasher | undefined): boolean {
  return (hasher?.room ?? PIECE_BYTES) >= PIECE_BYTES;
}

/** Digests one stream after the other of a ring. */
class TarDigester {
  readonly #reader: RingReader;
  readonly #algorithms: DigestRequest["algorithms"];
  readonly #hashers: Hashers;
  #hasher: RingHasher | null = null;

  constructor(reader: RingReader, algorithms: DigestRequest["algorithms"], hashers: Hashers) {
    this.#reader = reader;
    this.#algorithms = algorithms;
    this.#hashers = hashers;
  }

  /** Whether it is at a stream. */
  get isOpen(): boolean {
    return this.#hasher !== null;
  }

  /**
   * Whether more of a stream is to come without anybody waiting for a digest first: who writes a tree
   * may begin with it only when those below are verified, blobs included.
   */
  get isComing(): boolean {
    return this.isOpen && !this.#reader.isHeldUp;
  }

  /** @returns whether there was anything to do */
  step(): boolean {
    const { stream } = this.#reader;
    if (stream === null) return false;
    const algorithm = this.#algorithms[stream.layer] ?? null;
    if (algorithm !== null) {
      this.#hasher ??= this.#hashers.openPlaced(algorithm);
      const used = this.#takeUsed(this.#hasher);
      const piece = this.#reader.available(PIECE_BYTES);
      this.#hasher.offer(piece);
      if (!this.#reader.hasAll(piece.length)) return this.#takeUsed(this.#hasher) + used > 0;
    }
    const digest = this.#end();
    this.#reader.finish();
    self.postMessage({ of: "tar", ...stream, digest });
    return true;
  }

  /** Goes on where the ring is full. @returns whether it did */
  hurry(): boolean {
    if (this.#hasher === null || !this.#reader.isCrowded) return false;
    this.#hasher.hurry();
    return this.#takeUsed(this.#hasher) > 0;
  }

  /** Gives the room of what was used back. @returns how many bytes */
  #takeUsed(hasher: RingHasher): number {
    const used = hasher.takeUsed();
    if (used > 0) this.#reader.take(used);
    return used;
  }

  #end() {
    const hasher = this.#hasher;
    this.#hasher = null;
    if (hasher !== null && this.#reader.outcome === "ended") {
      return formatDigest(hasher.algorithm, hasher.digest());
    }
    hasher?.[Symbol.dispose]();
    return null;
  }
}

/** Digests a blob. */
class BlobDigester {
  readonly #request: BlobToDigest;
  readonly #board: Board;
  readonly #hashers: Hashers;
  #running: { readonly input: FileInput; readonly hasher: AnyHasher } | null = null;

  constructor(request: BlobToDigest, board: Board, hashers: Hashers) {
    this.#request = request;
    this.#board = board;
    this.#hashers = hashers;
  }

  /** Whether a piece can wait for company. */
  get hasRoom(): boolean {
    return hasRoom(this.#running?.hasher);
  }

  /** @returns whether there is more to do */
  step(): boolean {
    const { layer, blob, algorithm } = this.#request;
    try {
      this.#running ??= {
        input: new FileInput(blob, () => this.#board.checkCancelled(), () => {}),
        hasher: this.#hashers.open(algorithm),
      };
      const { input, hasher } = this.#running;
      const piece = input.read(hasher.window.subarray(0, PIECE_BYTES));
      if (piece.length > 0) {
        hasher.update(piece);
        return true;
      }
      input[Symbol.dispose]();
      self.postMessage({ of: "blob", layer, digest: formatDigest(algorithm, hasher.digest()) });
    } catch (error) {
      this.#running?.input[Symbol.dispose]();
      this.#running?.hasher[Symbol.dispose]?.();
      if (isInterruption(error)) throw error;
      self.postMessage({ of: "blob", layer, error: sendable(error) });
    }
    return false;
  }
}
