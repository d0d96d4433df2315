/**
 * Blobs to a registry (distribution-spec, "Pushing blobs"): not at all where it has them, mounted
 * from another repository, in one request, or in chunks.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { MAX_UPLOAD_CHUNK_BYTES, UPLOAD_CHUNK_BYTES } from "../limits.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Connection, RegistryRequest } from "./connection.ts";
import { announcedDigest } from "./manifest_reader.ts";
import type { Reply } from "./reply.ts";
import { backOff, type Timing, Transient } from "./timing.ts";
import {
  abandon,
  begin,
  mount,
  nextUrl,
  requestOf,
  type Session,
  type Upload,
  type UploadOptions,
} from "./upload.ts";

/** How a blob came to be in the registry. */
export type UploadOutcome = "exists" | "mounted" | "uploaded";

/** Headers of content that has no type here: the manifest says it. */
const OCTETS = { "content-type": "application/octet-stream" } as const;

/**
 * Brings a blob into a registry.
 *
 * @param content the whole content, each time it is called
 * @throws {LayerfsError} `size-mismatch` where the content has another length than `descriptor`,
 * `digest-mismatch` where the registry finds another digest, and as `Connection.request`
 */
export async function writeBlob(
  connection: Connection,
  timing: Timing,
  descriptor: Descriptor,
  content: () => AsyncIterable<Uint8Array>,
  options: UploadOptions,
): Promise<UploadOutcome> {
  const action = `Cannot upload blob ${descriptor.digest}`;
  const sessions = new Set<Session>();
  const upload = { connection, timing, descriptor, content, action, options, sessions };
  if (await hasBlob(connection, descriptor, options.signal)) return "exists";
  try {
    return await write(upload);
  } finally {
    await abandon(upload);
  }
}

async function write(upload: Upload): Promise<UploadOutcome> {
  const { connection, timing, descriptor, options } = upload;
  let opened: Session | null = null;
  if (options.mountFrom !== undefined) {
    const outcome = await mount(upload, options.mountFrom);
    if (outcome === "mounted") return outcome;
    opened = outcome;
  }
  for (let tries = 1;; tries++) {
    try {
      const session: Session = opened ?? await begin(upload);
      opened = null;
      const chunk = chunkSize(upload, session);
      const done = chunk === null
        ? await sendWhole(upload, session)
        : await sendChunks(upload, session, chunk);
      // It is too long for one request: a new session, in chunks.
      if (!done) return await writeChunked(upload);
      upload.sessions.delete(session);
      return "uploaded";
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      await backOff(timing, tries, error, options.signal);
      // A break after the last byte leaves open whether it came to an end.
      if (await hasBlob(connection, descriptor, options.signal)) return "uploaded";
    }
  }
}

/** Whether a registry has a blob of this digest. @throws {LayerfsError} as `Connection.request` */
export async function hasBlob(
  connection: Connection,
  { digest }: Descriptor,
  signal?: AbortSignal,
): Promise<boolean> {
  const reply = await connection.request({
    action: `Cannot look for blob ${digest}`,
    method: "HEAD",
    target: connection.path(`blobs/${digest}`),
    // What is to be uploaded is looked for first: one token does for both.
    access: "push",
    accept: [200, 404],
    ...(signal ? { signal } : {}),
  });
  await reply.discard();
  return reply.status === 200;
}

function writeChunked(
  { connection, timing, descriptor, content, options }: Upload,
): Promise<UploadOutcome> {
  const chunkBytes = options.chunkBytes ?? UPLOAD_CHUNK_BYTES;
  const { signal } = options;
  return writeBlob(connection, timing, descriptor, content, {
    chunkBytes,
    ...(signal ? { signal } : {}),
  });
}

/** Bytes of a chunk, where the caller or the registry wants chunks; else null. */
function chunkSize({ connection, action, options }: Upload, { opened }: Session): number | null {
  const minimum = Number(opened.header("oci-chunk-min-length") ?? 0);
  const wanted = options.chunkBytes ?? (minimum > 0 ? UPLOAD_CHUNK_BYTES : 0);
  if (!(minimum >= 0 && minimum <= MAX_UPLOAD_CHUNK_BYTES)) {
    const state = `it wants chunks longer than ${MAX_UPLOAD_CHUNK_BYTES} bytes, or of no length`;
    throw connection.invalid({ action, method: "POST" }, opened, state);
  }
  return wanted === 0 ? null : Math.min(Math.max(wanted, minimum), MAX_UPLOAD_CHUNK_BYTES);
}

/** One request with everything. @returns false where the registry finds it too long for that */
async function sendWhole(upload: Upload, { url }: Session): Promise<boolean> {
  const { connection, descriptor: { digest, size }, content } = upload;
  const request = requestOf(upload, "PUT", withDigest(url, digest));
  const reply = await connection.request({
    ...request,
    headers: OCTETS,
    body: () => ({ size, open: () => exactly(upload, content()) }),
    accept: [201, 204, 413],
    // A session that a break has left somewhere in the middle cannot be used again.
    retry: false,
  });
  if (reply.status !== 413) await checkDigest(upload, request, reply);
  await reply.discard();
  return reply.status !== 413;
}

/** One request for each chunk; what breaks goes on where the registry says that it is. */
async function sendChunks(upload: Upload, session: Session, chunkBytes: number): Promise<true> {
  const { connection, descriptor: { digest }, content } = upload;
  let at = 0;
  for await (const chunk of inChunks(exactly(upload, content()), chunkBytes)) {
    await sendChunk(upload, session, chunk, at);
    at += chunk.length;
  }
  const request = requestOf(upload, "PUT", withDigest(session.url, digest));
  const reply = await connection.request({
    ...request,
    headers: OCTETS,
    accept: [201, 204],
    retry: false,
  });
  await checkDigest(upload, request, reply);
  await reply.discard();
  return true;
}

async function sendChunk(
  upload: Upload,
  session: Session,
  chunk: Uint8Array<ArrayBuffer>,
  at: number,
): Promise<void> {
  const { connection, timing, options: { signal } } = upload;
  let sent = 0;
  for (let tries = 1;; tries++) {
    const rest = chunk.subarray(sent);
    const request = requestOf(upload, "PATCH", session.url);
    try {
      const reply = await connection.request({
        ...request,
        headers: { ...OCTETS, "content-range": `${at + sent}-${at + chunk.length - 1}` },
        body: () => rest,
        accept: [202, 204],
        retry: false,
      });
      await reply.discard();
      session.url = nextUrl(upload, reply);
      return;
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      await backOff(timing, tries, error, signal);
      const status = await progress(upload, session.url);
      // What it has lost of earlier chunks is not here any more: begin anew.
      if (status === null || status.received < at || status.received > at + chunk.length) {
        throw error;
      }
      sent = status.received - at;
      session.url = status.url;
      if (sent === chunk.length) return;
    }
  }
}

/** How much of an upload a registry has; null where it has forgotten it. */
async function progress(upload: Upload, url: URL): Promise<{ received: number; url: URL } | null> {
  const request = requestOf(upload, "GET", url);
  const reply = await upload.connection.request({ ...request, accept: [204, 404] });
  await reply.discard();
  if (reply.status === 404) return null;
  // "0-0" stands for nothing, as registries have no way to say so; one byte is sent twice then, which
  // they refuse.
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(reply.header("range") ?? "0-0")?.[1];
  if (last === undefined) {
    throw upload.connection.invalid(request, reply, 'the "Range" of the upload is not readable');
  }
  const received = last === "0" ? 0 : Number(last) + 1;
  return { received, url: reply.header("location") === null ? url : nextUrl(upload, reply) };
}

/** The content, if it has the length that was said. */
async function* exactly(
  { descriptor: { size }, action }: Upload,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for await (const chunk of content) {
    sent += chunk.length;
    if (sent > size) break;
    if (chunk.length > 0) yield chunk;
  }
  if (sent === size) return;
  const state = sent > size ? "it has more" : `it has ${sent}`;
  throw new LayerfsError(
    "size-mismatch",
    `${action}: ${state} bytes, its descriptor says ${size}`,
    {
      size,
    },
  );
}

/** The same bytes in pieces of `length`, the last one shorter. */
async function* inChunks(
  content: AsyncIterable<Uint8Array>,
  length: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let buffer = new Uint8Array(length);
  let filled = 0;
  for await (const piece of content) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + length - filled);
      buffer.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < length) continue;
      yield buffer;
      // The old one may still be on its way.
      buffer = new Uint8Array(length);
      filled = 0;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}

async function checkDigest(
  { connection, descriptor: { digest } }: Upload,
  request: RegistryRequest,
  reply: Reply,
): Promise<void> {
  const announced = announcedDigest(reply);
  if (announced === null || announced === digest || !sameAlgorithm(announced, digest)) return;
  await reply.discard();
  throw connection.invalid(request, reply, `the registry has taken it as "${announced}"`);
}

function sameAlgorithm(a: string, b: string): boolean {
  return a.split(":", 1)[0] === b.split(":", 1)[0];
}

function withDigest(url: URL, digest: string): URL {
  const next = new URL(url);
  next.searchParams.set("digest", digest);
  return next;
}
