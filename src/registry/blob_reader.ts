/**
 * Blobs of a registry as streams (distribution-spec, "Pulling blobs"), which go on at the byte where
 * a connection broke. Nobody sees the seam, so that a digest can be carried on over it.
 *
 * @module
 */

import type { LayerfsError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Connection } from "./connection.ts";
import { allFailed, mayBeElsewhere } from "./mirrors.ts";
import { NetworkFailure } from "./network_failure.ts";
import type { Reply } from "./reply.ts";
import { backOff, type Timing, Transient } from "./timing.ts";

/** Bytes that must arrive between two breaks for the second not to count as another in a row. */
const PROGRESS = 1024 * 1024;

/** A blob on its way. */
interface Download {
  readonly descriptor: Descriptor;
  readonly action: string;
  readonly signal: AbortSignal | undefined;
  readonly onConnection: (connection: Connection) => void;
  /** Bytes handed on. */
  received: number;
}

/**
 * The content of `descriptor`: exactly as many bytes as it says, or an error. The digest is for the
 * caller to check.
 *
 * @param connections are asked in turn, also in the middle
 * @param onConnection takes the one that the bytes to come are from
 * @throws {LayerfsError} `size-mismatch`, and as `Connection.request`
 */
export async function* readBlob(
  connections: readonly Connection[],
  timing: Timing,
  descriptor: Descriptor,
  signal?: AbortSignal,
  onConnection: (connection: Connection) => void = () => {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const action = `Cannot read blob ${descriptor.digest}`;
  const download: Download = { descriptor, action, signal, onConnection, received: 0 };
  const failures: LayerfsError[] = [];
  for (const connection of connections) {
    try {
      yield* fromOne(connection, timing, download);
      return;
    } catch (error) {
      if (!mayBeElsewhere(error)) throw error;
      failures.push(error);
    }
  }
  throw allFailed(failures);
}

async function* fromOne(
  connection: Connection,
  timing: Timing,
  download: Download,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let failures = 0;
  for (;;) {
    const before = download.received;
    try {
      yield* onePass(connection, download);
      return;
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      failures = download.received - before >= PROGRESS ? 1 : failures + 1;
      await backOff(timing, failures, error, download.signal);
    }
  }
}

/** One request, from the byte that is next. */
async function* onePass(
  connection: Connection,
  download: Download,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { descriptor: { digest, size }, action, signal, received } = download;
  if (received > 0 && received === size) return;
  const request = {
    action,
    method: "GET",
    target: connection.path(`blobs/${digest}`),
    ...(signal ? { signal } : {}),
  } as const;
  const reply = await connection.request({
    ...request,
    ...(received > 0 ? { headers: { range: `bytes=${received}-` } } : {}),
    accept: received > 0 ? [200, 206] : [200],
    retry: false,
  });
  const problem = rangeProblem(reply, received, size);
  if (problem !== null) {
    await reply.discard();
    throw connection.invalid(request, reply, problem);
  }
  const wrong = (found: number | null) => {
    const { state, data } = wrongLength(size, found);
    return connection.wrong("size-mismatch", request, state, data, reply.url);
  };
  // A server that does not know Range sends everything again.
  let skip = reply.status === 200 ? received : 0;
  const announced = reply.length;
  if (announced !== null && announced !== size - received + skip) {
    await reply.discard();
    throw wrong(received - skip + announced);
  }
  download.onConnection(connection);
  try {
    for await (const chunk of reply.chunks()) {
      const fresh = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - fresh.length;
      if (download.received + fresh.length > size) throw wrong(null);
      if (fresh.length === 0) continue;
      download.received += fresh.length;
      yield fresh;
    }
  } catch (error) {
    if (!(error instanceof NetworkFailure)) throw error;
    throw connection.broken(request, reply.url, error);
  }
  if (download.received < size) throw wrong(download.received);
}

/** What is wrong with the range of a partial answer (RFC 9110, 14.4); null where nothing is. */
function rangeProblem(reply: Reply, start: number, size: number): string | null {
  if (reply.status !== 206) return null;
  const range = reply.header("content-range") ?? "";
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(range) ?? [];
  const right = Number(first) === start && Number(last) === size - 1 &&
    (total === "*" || Number(total) === size);
  return right ? null : `bytes ${start}-${size - 1} were asked for, "${range.slice(0, 80)}" came`;
}

/** @param found how many bytes there are; null for too many */
function wrongLength(size: number, found: number | null) {
  const state = found === null ? `it has more than ${size}` : `it has ${found}`;
  return {
    state: `${state} bytes, its descriptor says ${size}`,
    data: { size, ...(found === null ? {} : { found }) },
  };
}
