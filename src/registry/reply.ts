/**
 * An answer of a registry: its body comes within bounds of length and time, or not at all.
 *
 * @module
 */

import { NetworkFailure, networkFailure } from "./network_failure.ts";
import { throwIfInterrupted, type Timing, type Watchdog } from "./timing.ts";

/** Bytes of a body that are read at once. */
const PIECE_BYTES = 64 * 1024;

/** What answered a request. Its body must be read or discarded. */
export class Reply {
  readonly #response: Response;
  readonly #watchdog: Watchdog;
  readonly #timing: Timing;
  readonly #signal: AbortSignal | undefined;

  /** @param url what was asked, after redirects */
  constructor(
    response: Response,
    readonly url: URL,
    { watchdog, timing, signal }: { watchdog: Watchdog; timing: Timing; signal?: AbortSignal },
  ) {
    this.#response = response;
    this.#watchdog = watchdog;
    this.#timing = timing;
    this.#signal = signal;
  }

  /** The status code. */
  get status(): number {
    return this.#response.status;
  }

  /** A header; null where it is absent. */
  header(name: string): string | null {
    return this.#response.headers.get(name);
  }

  /** The content-length; null where there is none that is a number. */
  get length(): number | null {
    const text = this.header("content-length") ?? "";
    return /^\d{1,15}$/.test(text) ? Number(text) : null;
  }

  /**
   * The body as it comes, in pieces that are valid until the next one. Leaving the loop closes the
   * connection.
   *
   * @throws {NetworkFailure} where it breaks, or is silent for too long
   * @throws {LayerfsError} `interrupted`
   */
  async *chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { body } = this.#response;
    if (body === null) return;
    const reader = new BodyReader(body);
    try {
      for (;;) {
        this.#watchdog.wind(this.#timing.idle);
        const { done, value } = await reader.read().catch((error) => this.#fail(error));
        // Only the registry is to hurry, not who uses what it sends.
        this.#watchdog.rest();
        if (done || value === undefined) return;
        if (value.length > 0) yield value;
      }
    } finally {
      this.#watchdog.rest();
      await cancel(reader);
    }
  }

  /**
   * The whole body, up to `limit` bytes.
   *
   * @param patience milliseconds that all of it may take
   * @returns null where it is longer
   * @throws {NetworkFailure} as {@linkcode chunks}
   */
  async bytes(limit: number, patience = this.#timing.document): Promise<Uint8Array | null> {
    if ((this.length ?? 0) > limit) {
      await this.discard();
      return null;
    }
    const parts: Uint8Array[] = [];
    let length = 0;
    const end = performance.now() + patience;
    for await (const chunk of this.chunks()) {
      length += chunk.length;
      if (length > limit) return null;
      if (performance.now() > end) throw new NetworkFailure("timeout", "the answer is too slow");
      parts.push(chunk.slice());
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  /** What there is of a text, up to `limit` bytes, however it ends; for errors. */
  async beginning(limit: number): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    let length = 0;
    const end = performance.now() + this.#timing.errorBody;
    try {
      for await (const chunk of this.chunks()) {
        length += chunk.length;
        text += decoder.decode(chunk.subarray(0, limit), { stream: true });
        if (length >= limit || performance.now() > end) break;
      }
    } catch (error) {
      // The status is what the error is about; its text only adds to that.
      if (!(error instanceof NetworkFailure)) throw error;
    }
    return text;
  }

  /** Gives the body up. */
  async discard(): Promise<void> {
    this.#watchdog.rest();
    const { body } = this.#response;
    if (body !== null && !body.locked) await cancel(body);
  }

  #fail(error: unknown): never {
    throwIfInterrupted(this.#signal);
    if (this.#watchdog.expired) {
      throw new NetworkFailure("timeout", `nothing came for ${this.#timing.idle / 1000} s`);
    }
    throw networkFailure(error);
  }
}

/**
 * Reads a body into one buffer, again and again, where its stream can: what fetch makes anew for
 * every piece is 25 MiB of garbage at a time (measured).
 */
class BodyReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | null = null;
  readonly #filling: ReadableStreamBYOBReader | null = null;
  #buffer = new ArrayBuffer(PIECE_BYTES);

  constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>) {
    try {
      this.#filling = body.getReader({ mode: "byob" });
    } catch (error) {
      // A stream that is not one of bytes, as node:http makes them.
      if (!(error instanceof TypeError)) throw error;
      this.#reader = body.getReader();
    }
  }

  async read(): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
    if (this.#filling === null) return await this.#reader!.read();
    const read = await this.#filling.read(new Uint8Array(this.#buffer));
    if (read.value !== undefined) this.#buffer = read.value.buffer;
    return read as ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;
  }

  async cancel(): Promise<void> {
    await (this.#filling ?? this.#reader!).cancel();
  }
}

/** Cancels what may have failed: the failure itself was reported to whoever read it. */
async function cancel(body: { cancel(): Promise<void> }): Promise<void> {
  await body.cancel().catch(() => {});
}
