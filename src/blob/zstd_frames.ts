/**
 * The frame structure of a zstd stream (RFC 8878), followed without decompressing it.
 *
 * node:zlib ends a zstd stream wherever its input ends, and passes over what is not zstd after a
 * frame. A truncated layer or one with a tail of something else would go unnoticed; this is what
 * notices. It costs a few bytes looked at for each block of up to 128 KiB.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";

const FRAME_MAGIC = 0xfd2fb528;
/** Skippable frames have the magic numbers 0x184D2A50 to 0x184D2A5F. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

type Field = "magic" | "skippable-size" | "descriptor" | "block";

/** Follows the frames of one stream, which may come in pieces of any size. */
export class ZstdFrames {
  /** Bytes of content (block, checksum, skippable data) to pass over before the next field. */
  #skip = 0;
  #field: Field = "magic";
  /** Little-endian value of the field being read, and how many bytes of it there are already. */
  #value = 0;
  #have = 0;
  #hasChecksum = false;
  #frames = 0;

  /**
   * Follows the next bytes.
   *
   * @throws {LayerfsError} `image-invalid` where neither a frame nor a skippable frame begins
   */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      this.#skip -= skipped;
      at += skipped;
      if (at < bytes.length) this.#byte(bytes[at++]!);
    }
  }

  /**
   * Declares the end of the stream.
   *
   * @throws {LayerfsError} `image-invalid` in the middle of a frame, or when there was none
   */
  end(): void {
    const complete = this.#field === "magic" && this.#have === 0 && this.#skip === 0;
    if (!complete || this.#frames === 0) throw invalid("the zstd stream is truncated");
  }

  #byte(byte: number): void {
    this.#value += byte * 2 ** (8 * this.#have++);
    const lengths = { "magic": 4, "skippable-size": 4, "descriptor": 1, "block": 3 } as const;
    if (this.#have < lengths[this.#field]) return;
    const value = this.#value;
    this.#value = this.#have = 0;
    this.#complete(value);
  }

  #complete(value: number): void {
    switch (this.#field) {
      case "magic":
        if (value === FRAME_MAGIC) this.#field = "descriptor";
        else if (value - value % 16 === SKIPPABLE_MAGIC) this.#field = "skippable-size";
        else throw invalid("the zstd stream is followed by bytes that are not zstd");
        break;
      case "skippable-size":
        this.#skip = value;
        this.#field = "magic";
        break;
      case "descriptor":
        this.#hasChecksum = (value & 4) !== 0;
        this.#skip = headerRest(value);
        this.#field = "block";
        break;
      case "block":
        this.#block(value);
    }
  }

  /** Block_Header: Last_Block (1 bit), Block_Type (2 bits), Block_Size (21 bits). */
  #block(header: number): void {
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) throw invalid("a zstd block has the reserved type");
    this.#skip = type === RLE_BLOCK ? 1 : header >> 3;
    if ((header & 1) === 0) return;
    if (this.#hasChecksum) this.#skip += 4;
    this.#field = "magic";
    this.#frames++;
  }
}

/** Bytes of the frame header behind its descriptor: window, dictionary id, content size. */
function headerRest(descriptor: number): number {
  const singleSegment = (descriptor & 0x20) !== 0;
  const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionaryId = [0, 1, 2, 4][descriptor & 3]!;
  return (singleSegment ? 0 : 1) + dictionaryId + contentSize;
}

function invalid(state: string): LayerfsError {
  return new LayerfsError("image-invalid", `Cannot decompress: ${state}`);
}
