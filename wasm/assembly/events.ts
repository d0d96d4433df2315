/*
 * What the scanner found, as records in EVENTS that the host decodes (src/core/events.ts). Many
 * make one batch, so that a layer of small files costs few calls across the border.
 *
 *   ENTRY  +0  u32 1              +4  u32 size of the record, a multiple of 8
 *          +8  f64 header offset  +16 f64 size of the file   +24 f64 mtime, seconds
 *          +32 u32 uid            +36 u32 gid                +40 u32 mtime, nanoseconds
 *          +44 u32 mode           +48 u32 type, 0..6         +52 u32 flags
 *          +56 u32 major          +60 u32 minor              +64 u32 node (seen.ts), 0 if whiteout
 *          +68 u32 path length    +72 u32 link length        +76 u32 whiteout, 0..3
 *          +80 u32 attributes     +84 u32 their size         +88 u32 size of those in GLOBALS
 *          +92 u32 regions, each a u64 offset in the file and a u64 length, if it is sparse
 *          +96 u32 how many       +104 path, link
 *   DATA   +0  u32 2              +4  u32 24
 *          +8  f64 offset in the file   +16 u32 pointer into the window   +20 u32 length
 *   END    +0  u32 3              +4  u32 8
 */

import { EVENTS, EVENTS_SIZE, NAME_SIZE } from "./memory";

export const ENTRY_HEAD: u32 = 104;
/** Flags. */
export const PATH_ASCII: u32 = 1;
export const LINK_ASCII: u32 = 2;
export const WITH_HOLES: u32 = 4;

/** The largest ENTRY with an END behind it. */
const MOST: u32 = ENTRY_HEAD + 2 * NAME_SIZE + 8 + 8;

/** Where the next record goes. */
export let out: usize = EVENTS;
let flush: bool = false;

export function eventsReset(): void {
  out = EVENTS;
  flush = false;
}

/** Whether another record fits, whatever it is. */
export function eventsRoom(): bool {
  return !flush && out + MOST <= EVENTS + EVENTS_SIZE;
}

/** Bytes of all records. */
export function eventsSize(): u32 { return (out - EVENTS) as u32; }

/** Closes the ENTRY that was written at {@link out}. */
export function emitEntry(names: u32): void {
  const size = (ENTRY_HEAD + names + 7) & ~7;
  store<u32>(out, 1);
  store<u32>(out, size, 4);
  out += size;
}

/** Ends the batch: what the records point at is about to change. */
export function emitFlush(): void {
  flush = true;
}

export function emitData(at: f64, pointer: usize, length: u32): void {
  store<u32>(out, 2);
  store<u32>(out, 24, 4);
  store<f64>(out, at, 8);
  store<u32>(out, pointer as u32, 16);
  store<u32>(out, length, 20);
  out += 24;
}

export function emitEnd(): void {
  store<u32>(out, 3);
  store<u32>(out, 8, 4);
  out += 8;
}
