/**
 * The thread that computes the digests of streams: of all that are in the rings at a time.
 *
 * @module
 */

import { createHasher, type DigestEngine, formatDigest, type Hasher } from "../core/hasher.ts";
import { HasherLanes } from "../core/hasher_lanes.ts";
import type { DigestAlgorithm } from "../oci/digest.ts";
import { BELL, Board } from "./board.ts";
import {
  type DigestMessage,
  type DigestRequest,
  type DigestSource,
  isInterruption,
} from "./messages.ts";
import { RingReader, type StreamName } from "./ring.ts";

/** Bytes of a stream that are digested before the others get their turn. */
const PIECE_BYTES = 512 * 1024;

declare const self: {
  onmessage: ((event: MessageEvent<DigestRequest>) => void) | null;
  postMessage(message: DigestMessage): void;
};

self.onmessage = ({ data: { board, sources, engine } }) => {
  const open = opener(engine);
  const digesters = sources.map((source) => new Digester(source, open));
  try {
    for (;;) {
      new Board(board).wait(BELL.digest, () => {
        // All of them, whatever the first one did.
        return digesters.map((digester) => digester.step()).includes(true);
      });
    }
  } catch (error) {
    // Whoever has cancelled waits for no digest.
    if (!isInterruption(error)) throw error;
  }
};

/** Makes hashers; those that can share a vector do. */
function opener(
  engine: DigestEngine,
): (algorithm: DigestAlgorithm) => Hasher & Partial<Disposable> {
  if (engine === "native") return (algorithm) => createHasher(algorithm, engine);
  const lanes = new HasherLanes();
  return (algorithm) => algorithm === "sha256" ? lanes.open() : createHasher(algorithm, engine);
}

/** Digests one stream after the other of a ring. */
class Digester {
  readonly #source: DigestSource;
  readonly #reader: RingReader;
  readonly #open: ReturnType<typeof opener>;
  #hasher: ReturnType<ReturnType<typeof opener>> | null = null;

  constructor(source: DigestSource, open: ReturnType<typeof opener>) {
    this.#source = source;
    this.#reader = new RingReader(source.ring, source.reader);
    this.#open = open;
  }

  /** @returns whether there was anything to do */
  step(): boolean {
    const { stream } = this.#reader;
    if (stream === null) return false;
    const algorithm = this.#source.algorithms[stream.layer] ?? null;
    if (algorithm === null) {
      this.#end(stream);
      return true;
    }
    this.#hasher ??= this.#open(algorithm);
    const piece = this.#reader.available(PIECE_BYTES);
    if (piece.length > 0) {
      this.#hasher.update(piece);
      this.#reader.take(piece.length);
      return true;
    }
    if (!this.#reader.isOver) return false;
    this.#end(stream);
    return true;
  }

  #end(stream: StreamName): void {
    const hasher = this.#hasher;
    this.#hasher = null;
    const isWhole = hasher !== null && this.#reader.outcome === "ended";
    const digest = isWhole ? formatDigest(hasher.algorithm, hasher.digest()) : null;
    if (!isWhole) hasher?.[Symbol.dispose]?.();
    this.#reader.finish();
    self.postMessage({ of: this.#source.of, ...stream, digest });
  }
}
