/**
 * Digests side by side, as those see them who have them made: see hasher_lanes.ts.
 *
 * @module
 */

import type { Hasher } from "./hasher.ts";

/** A stream. To dispose of it gives its slot back without a digest; after the digest, nothing is left. */
export interface LaneHasher extends Hasher, Disposable {
  /**
   * Bytes that it takes without having to work in any, so that they can wait for company. Where there
   * are none left, whoever can wait better does.
   */
  readonly room: number;
}

/**
 * A stream whose bytes are not copied: they lie in the memory of the lanes. To dispose of it gives its
 * slot back without a digest; after the digest, nothing is left.
 */
export interface PlacedHasher extends Disposable {
  readonly algorithm: "sha256";
  /**
   * Tells what there is of the stream, from the first byte on that was not used: a view of the memory.
   * The bytes must stay until they are used, or the digest is taken. Before that, only whole blocks of
   * 64 bytes are used.
   */
  offer(bytes: Uint8Array<SharedArrayBuffer>): void;
  /** Has some of that used, as whoever brings more waits for the room. */
  hurry(): void;
  /** How many bytes were used since the last call, by the work for other streams too. */
  takeUsed(): number;
  /** Ends the stream with all that was offered: 32 bytes. */
  digest(): Uint8Array;
}

/** What `HasherLanes` does at the end of a stream. */
export interface EndCalls {
  digest(): Uint8Array;
  close(): void;
}

/** A stream in a lane, until its digest is taken. `Calls` is what is done for it. */
class OpenLane<Calls extends EndCalls> {
  readonly algorithm = "sha256";
  #calls: Calls | null;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  digest(): Uint8Array {
    const result = this.live.digest();
    this[Symbol.dispose]();
    return result;
  }

  [Symbol.dispose](): void {
    this.#calls?.close();
    this.#calls = null;
  }

  protected get live(): Calls {
    if (this.#calls === null) throw new TypeError("Cannot use the hasher: its digest was taken");
    return this.#calls;
  }
}

interface LaneCalls extends EndCalls {
  window(): Uint8Array;
  room(): number;
  update(bytes: Uint8Array): void;
}

export class LaneStream extends OpenLane<LaneCalls> implements LaneHasher {
  get window(): Uint8Array {
    return this.live.window();
  }

  get room(): number {
    return this.live.room();
  }

  update(bytes: Uint8Array): void {
    this.live.update(bytes);
  }
}

type PlacedCalls = EndCalls & Pick<PlacedHasher, "offer" | "hurry" | "takeUsed">;

export class PlacedStream extends OpenLane<PlacedCalls> implements PlacedHasher {
  offer(bytes: Uint8Array<SharedArrayBuffer>): void {
    this.live.offer(bytes);
  }

  hurry(): void {
    this.live.hurry();
  }

  takeUsed(): number {
    return this.live.takeUsed();
  }
}
