/**
 * Large buffers, used again: the garbage collector takes its time with them, and a thread that makes
 * several trees would hold several times what it needs.
 *
 * @module
 */

const spare = new Map<number, Uint8Array<ArrayBuffer>[]>();

/** A buffer with anything in it. @param bytes its length */
export function takeBuffer(bytes: number): Uint8Array<ArrayBuffer> {
  return spare.get(bytes)?.pop() ?? new Uint8Array(bytes);
}

/** Gives back a buffer that nobody uses any more. */
export function giveBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  const others = spare.get(buffer.length);
  if (others === undefined) spare.set(buffer.length, [buffer]);
  else others.push(buffer);
}
