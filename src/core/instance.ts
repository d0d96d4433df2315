/**
 * Instances of the WebAssembly module: typed exports, and the regions of linear memory that the
 * host reads or writes. `wasm/assembly/memory.ts` draws the whole map.
 *
 * The module is compiled once a process (by its import), in half a millisecond; an instance takes
 * 0.1 ms. Workers import it too: V8 knows the bytes again and shares the code, the optimised code
 * included, so that a worker is fast from its first block once another thread has hashed a MiB
 * (measured; a module sent by postMessage is no better). Every stream has an instance, and so a
 * memory, of its own: the regions below have fixed addresses.
 *
 * @module
 */

// @ts-types="../../wasm/module.d.ts"
import module from "../../wasm/module.js";

/** What wasm/assembly/index.ts exports. Every number is an i32 or f64; pointers are byte offsets. */
export interface Exports {
  readonly memory: WebAssembly.Memory;
  /** Starts a digest: 0 is SHA-256, 1 is SHA-512. */
  hashInit(algorithm: number): void;
  hashUpdate(pointer: number, length: number): void;
  /** Puts the digest at {@linkcode HASH_DIGEST} and returns its length in bytes. */
  hashFinish(): number;
  /** Starts a scan; caps in bytes, four words of randomness for the hash table. */
  scanInit(maxPax: number, maxPath: number, k0: number, k1: number, k2: number, k3: number): void;
  /** Announces `length` bytes in the window. */
  scanFeed(length: number): void;
  /** Bytes of events now at {@linkcode EVENTS}; the lowest bits are a ScanStatus. */
  scanNext(): number;
  /** 0, or the number of the error that the end of the stream here would be. */
  scanEnd(): number;
  /** Bytes of file data and padding that may be left out now. */
  scanSkippable(): number;
  /** Bytes of contents that come next, of a file that is not sparse. */
  scanContents(): number;
  scanSkip(length: number): void;
  errorCode(): number;
  errorOffset(): number;
  errorNamePointer(): number;
  errorNameLength(): number;
  errorTextPointer(): number;
  errorTextLength(): number;
  /** State of a node (0 new, 1 implied, 2 seen) before it is marked as seen, as it is now. */
  seenMark(node: number): number;
  /** Node of the path at {@linkcode HOST_PATH}, made when it is new; 0 when memory is exhausted. */
  seenInsert(length: number): number;
  /** State of the path at {@linkcode HOST_PATH}. */
  seenFind(length: number): number;
}

/** Where the finished digest lies, in lane_memory.ts too. */
export const HASH_DIGEST = 0x100c0;
/** Where the host puts a path, 4 KiB. */
export const HOST_PATH = 0x18000;
/** Event records, see events.ts. */
export const EVENTS = 0x20000;
/** Where the bytes of the stream go. */
export const WINDOW = 0x40000;
/** Bytes of the window. */
export const WINDOW_SIZE = 0x100000;

/** A fresh instance. Nothing is imported, so that its memory is all it can touch. */
export function instantiate(): Exports {
  return new WebAssembly.Instance(module).exports as unknown as Exports;
}

/**
 * Instances whose work is done. `hashInit` and `scanInit` set all the state that the others read, so
 * that an instance carries nothing over; 8 is more than one image has streams at a time.
 */
const idle: Exports[] = [];
const MAX_IDLE = 8;

/** An instance that nobody uses: it takes long until the garbage collector frees one's memory. */
export function takeInstance(): Exports {
  return idle.pop() ?? instantiate();
}

/** Gives back an instance that nobody uses any more. */
export function giveInstance(wasm: Exports): void {
  if (idle.length < MAX_IDLE) idle.push(wasm);
}
