/**
 * Streaming SHA-256 and SHA-512, in WebAssembly or natively.
 *
 * @example
 * ```ts
 * import { createHasher } from "./hasher.ts";
 *
 * const hasher = createHasher("sha256", "wasm");
 * hasher.update(new TextEncoder().encode("ab"));
 * hasher.update(new TextEncoder().encode("c"));
 * const bytes = hasher.digest(); // 32 bytes: ba 78 16 bf …
 * ```
 *
 * @module
 */

import type { Hash } from "node:crypto";
import { nodeCrypto } from "../node.ts";
import { type Digest, type DigestAlgorithm, parseDigest } from "../oci/digest.ts";
import {
  type Exports,
  giveInstance,
  HASH_DIGEST,
  takeInstance,
  WINDOW,
  WINDOW_SIZE,
} from "./instance.ts";

/** Who computes digests: the WebAssembly module, or node:crypto (the CPU's SHA instructions). */
export type DigestEngine = "wasm" | "native";

/** A digest in the making over bytes that come in pieces of any size. */
export interface Hasher {
  /** What it computes. */
  readonly algorithm: DigestAlgorithm;
  /**
   * Memory to read or inflate into, of at least 512 KiB: {@linkcode update} takes a view that
   * begins where it begins without copying. Valid until the next update; it does not survive the
   * digest.
   *
   * @example
   * ```ts ignore
   * const window = hasher.window;
   * hasher.update(window.subarray(0, file.readSync(window) ?? 0));
   * ```
   * @throws {TypeError} after {@linkcode digest}
   */
  readonly window: Uint8Array;
  /** Adds bytes. @throws {TypeError} after {@linkcode digest} */
  update(bytes: Uint8Array): void;
  /** Ends the stream: 32 or 64 bytes. @throws {TypeError} when called again */
  digest(): Uint8Array;
}

/** A hasher of its own state; any number may be in use at a time. */
export function createHasher(algorithm: DigestAlgorithm, engine: DigestEngine): Hasher {
  return engine === "wasm" ? new WasmHasher(algorithm) : new NativeHasher(algorithm);
}

/** The digest of bytes that are all in memory. */
export function digestBytes(
  bytes: Uint8Array,
  algorithm: DigestAlgorithm,
  engine: DigestEngine = "wasm",
): Digest {
  const hasher = createHasher(algorithm, engine);
  hasher.update(bytes);
  return formatDigest(algorithm, hasher.digest());
}

/** `algorithm:hex` of the bytes of a digest. */
export function formatDigest(algorithm: DigestAlgorithm, bytes: Uint8Array): Digest {
  return parseDigest(`${algorithm}:${bytes.toHex()}`);
}

class WasmHasher implements Hasher {
  readonly algorithm: DigestAlgorithm;
  #wasm: Exports | undefined;
  readonly #window: Uint8Array<ArrayBuffer>;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.#wasm = takeInstance();
    // The view lasts: hashing never grows the memory.
    const buffer = this.#wasm.memory.buffer as ArrayBuffer;
    this.#window = new Uint8Array(buffer, WINDOW, WINDOW_SIZE);
    this.#wasm.hashInit(algorithm === "sha256" ? 0 : 1);
  }

  get window(): Uint8Array<ArrayBuffer> {
    this.#live();
    return this.#window;
  }

  update(bytes: Uint8Array): void {
    const wasm = this.#live();
    if (startsAt(bytes, this.#window)) return wasm.hashUpdate(WINDOW, bytes.length);
    for (let at = 0; at < bytes.length; at += WINDOW_SIZE) {
      const part = bytes.subarray(at, at + WINDOW_SIZE);
      this.#window.set(part);
      wasm.hashUpdate(WINDOW, part.length);
    }
  }

  digest(): Uint8Array {
    const wasm = this.#live();
    const result = new Uint8Array(wasm.memory.buffer, HASH_DIGEST, wasm.hashFinish()).slice();
    this.#wasm = undefined;
    giveInstance(wasm);
    return result;
  }

  #live(): Exports {
    if (!this.#wasm) throw new TypeError("Cannot use the hasher: its digest was taken");
    return this.#wasm;
  }
}

/** Whether both views begin with the same byte of memory. */
export function startsAt(bytes: Uint8Array, window: Uint8Array): boolean {
  return bytes.buffer === window.buffer && bytes.byteOffset === window.byteOffset &&
    bytes.length <= window.length;
}

class NativeHasher implements Hasher {
  readonly algorithm: DigestAlgorithm;
  #hash: Hash | undefined;
  #window: Uint8Array<ArrayBuffer> | undefined;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.#hash = nodeCrypto().createHash(algorithm);
  }

  get window(): Uint8Array<ArrayBuffer> {
    this.#live();
    return this.#window ??= new Uint8Array(WINDOW_SIZE);
  }

  update(bytes: Uint8Array): void {
    this.#live().update(bytes);
  }

  digest(): Uint8Array {
    const result = new Uint8Array(this.#live().digest());
    this.#hash = undefined;
    return result;
  }

  #live(): Hash {
    if (!this.#hash) throw new TypeError("Cannot use the hasher: its digest was taken");
    return this.#hash;
  }
}
