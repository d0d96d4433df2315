/**
 * Sessions of uploads (distribution-spec, "Pushing blobs"): how they are opened, where they go on,
 * and how they are given up.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Connection, RegistryRequest } from "./connection.ts";
import type { Reply } from "./reply.ts";
import { type Timing, Transient } from "./timing.ts";

/** How a blob is uploaded. */
export interface UploadOptions {
  /** A repository of the same registry that may have it. */
  readonly mountFrom?: string;
  /** Bytes of each chunk; without it, the blob goes in one request unless the registry objects. */
  readonly chunkBytes?: number;
  /** Ends the upload. */
  readonly signal?: AbortSignal;
}

/** A blob to be uploaded. */
export interface Upload {
  readonly connection: Connection;
  readonly timing: Timing;
  readonly descriptor: Descriptor;
  /** Begins the content anew, for every try. */
  readonly content: () => AsyncIterable<Uint8Array>;
  readonly action: string;
  readonly options: UploadOptions;
  /** Those that were opened and have not led to the blob. */
  readonly sessions: Set<Session>;
}

/** A session at a registry. */
export interface Session {
  /** What opened it. */
  readonly opened: Reply;
  /** Where it goes on, which is elsewhere after every request. */
  url: URL;
}

/**
 * Asks the registry to take the blob from another of its repositories. That is a short cut: it is
 * tried once, and whatever goes wrong with it, the blob can still be uploaded.
 *
 * @returns the session that the registry opens where it does not mount; null where it does neither
 * @throws {LayerfsError} `interrupted`, `permission-missing`
 */
export async function mount(upload: Upload, from: string): Promise<"mounted" | Session | null> {
  const { connection, descriptor: { digest } } = upload;
  if (connection.unreadable.has(from)) return null;
  const query = new URLSearchParams({ mount: digest, from });
  const request = requestOf(upload, "POST", connection.path(`blobs/uploads/?${query}`));
  try {
    const reply = await connection.request({ ...request, from, accept: [201, 202], retry: false });
    await reply.discard();
    return reply.status === 201 ? "mounted" : open(upload, reply);
  } catch (error) {
    if (error instanceof Transient) return null;
    if (!(error instanceof LayerfsError)) throw error;
    if (error.code === "interrupted" || error.code === "permission-missing") throw error;
    // Nor may the other blobs be read there, and each refusal takes a request or two.
    if (error.code === "unauthorized") connection.unreadable.add(from);
    return null;
  }
}

/** Opens a session. @throws {LayerfsError} as `Connection.request` */
export async function begin(upload: Upload): Promise<Session> {
  const request = requestOf(upload, "POST", upload.connection.path("blobs/uploads/"));
  const reply = await upload.connection.request({ ...request, accept: [202] });
  await reply.discard();
  return open(upload, reply);
}

function open(upload: Upload, opened: Reply): Session {
  const session = { opened, url: nextUrl(upload, opened) };
  upload.sessions.add(session);
  return session;
}

/**
 * Gives up the sessions that have not led to the blob: registries keep what came in them, for days or
 * for good. That is not waited for long, and whether they do it is their affair. The first try may
 * fail as the upload has: HTTP/2 takes the connection down with it.
 */
export async function abandon({ connection, timing, action, sessions }: Upload): Promise<void> {
  if (sessions.size === 0) return;
  // Not the signal of the upload, which may be what has ended it.
  const signal = AbortSignal.timeout(timing.farewell);
  const request = { action, method: "DELETE", access: "delete", signal } as const;
  await Promise.all(Array.from(sessions, async ({ url }) => {
    try {
      const reply = await connection.request({ ...request, target: url, accept: [202, 204, 404] });
      await reply.discard();
    } catch (error) {
      if (!(error instanceof LayerfsError)) throw error;
    }
  }));
}

/** Where a session goes on. @throws {LayerfsError} `registry-invalid` */
export function nextUrl({ connection, action }: Upload, reply: Reply): URL {
  const request = { action, method: "POST" } as const;
  const location = reply.header("location");
  if (location === null) throw connection.invalid(request, reply, "the upload has no Location");
  return connection.resolve(request, reply, location);
}

/** A request of an upload that accepts no status yet. */
export function requestOf(
  { action, options: { signal } }: Upload,
  method: RegistryRequest["method"],
  target: string | URL,
): Omit<RegistryRequest, "accept"> & { accept: readonly number[] } {
  return { action, method, target, access: "push", accept: [], ...(signal ? { signal } : {}) };
}
