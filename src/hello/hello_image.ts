/**
 * The hello image: an OCI image layout made in code, so that a first container needs no network and
 * no other tool. Its programs print a greeting, on amd64 and on arm64.
 *
 * The same bytes are written everywhere and always: no time, no owner and no library's compression
 * goes into them.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { HELLO_TAG, writeHelloLayout } from "./hello_image.ts";
 *
 * const parent = await Deno.makeTempDir();
 * await writeHelloLayout(`${parent}/hello`);
 * assert((await Deno.stat(`${parent}/hello/index.json`)).isFile);
 * assertEquals(HELLO_TAG, "hello"); // oci:…/hello:hello
 * await Deno.remove(parent, { recursive: true });
 * ```
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { digestBytes } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { namesIn } from "../files.ts";
import { REF_NAME } from "../oci/descriptor.ts";
import { type Digest, digestHex } from "../oci/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../oci/media_type.ts";
import { storageError } from "../system_error.ts";
import { encodeHeader, endOfArchive, padding, type TarHeader } from "../tar/header.ts";
import { helloProgram, type Machine } from "./elf.ts";

/** The tag of the image in its layout. */
export const HELLO_TAG = "hello";

/** What the image's program prints. */
export const HELLO_TEXT = "Hello from layerfs: this container runs from an OCI image.\n";

const MACHINES: readonly Machine[] = ["amd64", "arm64"];
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip";
/** 2026-01-01T00:00:00Z */
const CREATED = "2026-01-01T00:00:00Z";
const MTIME = { seconds: 1_767_225_600, nanoseconds: 0 };

const PASSWD = "root:x:0:0:root:/:/hello\nnobody:x:65534:65534:nobody:/:/hello\n";
const GROUP = "root:x:0:\nnogroup:x:65534:\n";
/** Where runtimes mount: in a read-only root they could not make them. */
const DIRECTORIES: readonly (readonly [path: string, mode: number])[] = [
  ["dev", 0o755],
  ["etc", 0o755],
  ["proc", 0o555],
  ["sys", 0o555],
  ["tmp", 0o1777],
];

const encoder = new TextEncoder();

/**
 * Writes the layout to `dir`, which is made where it does not exist. Where the layout is there
 * already, it stays.
 *
 * @throws {LayerfsError} `conflict` where `dir` holds anything else
 */
export async function writeHelloLayout(dir: string): Promise<void> {
  const { index, blobs } = helloLayout();
  const action = `Cannot write the hello image to "${dir}"`;
  try {
    Deno.mkdirSync(dir, { recursive: true });
    if (!isOurs(dir, index)) {
      throw new LayerfsError("conflict", `${action}: it holds other files; choose a new directory`);
    }
    await Deno.mkdir(`${dir}/blobs/sha256`, { recursive: true });
    for (const [digest, bytes] of blobs) {
      await Deno.writeFile(`${dir}/blobs/sha256/${digestHex(digest)}`, bytes);
    }
    await Deno.writeTextFile(`${dir}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    // Last, so that an unfinished layout is none.
    await Deno.writeFile(`${dir}/index.json`, index);
  } catch (error) {
    throw storageError(error, action);
  }
}

/** Whether `dir` holds the layout, a part of it that an interrupted run has left, or nothing. */
function isOurs(dir: string, index: Uint8Array): boolean {
  const names = namesIn(dir);
  if (names.includes("index.json")) {
    return Deno.readTextFileSync(`${dir}/index.json`) === new TextDecoder().decode(index);
  }
  return names.every((name) => name === "blobs" || name === "oci-layout");
}

/** The layout's index.json and its blobs. */
interface Layout {
  readonly index: Uint8Array<ArrayBuffer>;
  readonly blobs: ReadonlyMap<Digest, Uint8Array<ArrayBuffer>>;
}

/** index.json names an index, which names a manifest for each machine: the usual shape. */
function helloLayout(): Layout {
  const blobs = new Map<Digest, Uint8Array<ArrayBuffer>>();
  const add = (mediaType: string, bytes: Uint8Array<ArrayBuffer>) => {
    const digest = digestBytes(bytes, "sha256");
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const manifests = MACHINES.map((architecture) => {
    const layer = helloLayer(architecture);
    const config = add(OCI_CONFIG, json(configOf(architecture, digestBytes(layer, "sha256"))));
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config,
      layers: [add(LAYER_TYPE, gzipStored(layer))],
    };
    return { ...add(OCI_MANIFEST, json(manifest)), platform: { architecture, os: "linux" } };
  });
  const image = add(OCI_INDEX, json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  const tagged = { ...image, annotations: { [REF_NAME]: HELLO_TAG } };
  const index = json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [tagged] });
  return { index, blobs };
}

function configOf(architecture: Machine, diffId: Digest): unknown {
  return {
    created: CREATED,
    architecture,
    os: "linux",
    config: {
      Env: ["PATH=/"],
      Cmd: ["/hello"],
      WorkingDir: "/",
      Labels: { "org.opencontainers.image.title": "layerfs hello" },
    },
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ created: CREATED, created_by: "layerfs: src/hello/hello_image.ts" }],
  };
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(value));
}

/** The layer as a tar archive. */
function helloLayer(machine: Machine): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const add = (header: Omit<TarHeader, "mtime" | "size">, content: Uint8Array) => {
    const size = content.length;
    parts.push(encodeHeader({ ...header, mtime: MTIME, size }), content, padding(size));
  };
  for (const [path, mode] of DIRECTORIES) {
    add({ type: "directory", path, mode }, new Uint8Array(0));
  }
  add({ type: "file", path: "etc/group", mode: 0o644 }, encoder.encode(GROUP));
  add({ type: "file", path: "etc/passwd", mode: 0o644 }, encoder.encode(PASSWD));
  add({ type: "file", path: "hello", mode: 0o755 }, helloProgram(machine, HELLO_TEXT));
  parts.push(endOfArchive());
  return concat(parts);
}

/** Bytes of one stored block of DEFLATE (RFC 1951, section 3.2.4). */
const MAX_STORED = 0xffff;

/**
 * A gzip file (RFC 1952) that holds `bytes` as they are: compressors differ between versions of
 * zlib, which would change the digests.
 */
function gzipStored(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  // Magic, deflate, no flags, no time, no hint, unknown operating system.
  const parts: Uint8Array[] = [Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255)];
  for (let at = 0; at === 0 || at < bytes.length; at += MAX_STORED) {
    const part = bytes.subarray(at, at + MAX_STORED);
    const head = new DataView(new ArrayBuffer(5));
    head.setUint8(0, at + MAX_STORED >= bytes.length ? 1 : 0);
    head.setUint16(1, part.length, true);
    head.setUint16(3, part.length ^ 0xffff, true);
    parts.push(new Uint8Array(head.buffer), part);
  }
  const tail = new DataView(new ArrayBuffer(8));
  tail.setUint32(0, crc32(bytes), true);
  tail.setUint32(4, bytes.length, true);
  parts.push(new Uint8Array(tail.buffer));
  return concat(parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
