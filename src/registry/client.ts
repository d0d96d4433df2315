/**
 * One repository of a registry: what can be read from it, and written to it (distribution-spec 1.1).
 *
 * @example
 * ```ts ignore
 * import { RegistryClient } from "./client.ts";
 * import { loadRegistrySettings, REGISTRY_VARIABLES } from "./settings.ts";
 * import { parseImageName } from "../oci/reference.ts";
 *
 * const settings = await loadRegistrySettings({}, new Map([["HOME", "/root"]]));
 * await using client = RegistryClient.open(parseImageName("alpine:3.20"), settings);
 * const { bytes, digest, mediaType } = await client.manifest("3.20");
 * ```
 *
 * @module
 */

import type { BlobOrigin } from "../blob/content.ts";
import { digestBytes } from "../core/hasher.ts";
import { LayerfsError } from "../errors.ts";
import { MAX_DOCUMENT_BYTES } from "../limits.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, type DigestAlgorithm, digestAlgorithm } from "../oci/digest.ts";
import { isIndex, isManifest } from "../oci/media_type.ts";
import type { ImageName } from "../oci/reference.ts";
import { readBlob } from "./blob_reader.ts";
import { hasBlob, type UploadOutcome, writeBlob } from "./blob_writer.ts";
import { Connection } from "./connection.ts";
import { Exchange } from "./exchange.ts";
import { listReferrers, listTags } from "./listing.ts";
import {
  type FetchedManifest,
  MANIFEST_TYPES,
  readDescribed,
  readManifest,
  type ResolvedTag,
  resolveTag,
} from "./manifest_reader.ts";
import { type PutManifest, writeManifest } from "./manifest_writer.ts";
import { firstOf } from "./mirrors.ts";
import { addTaggedReferrer } from "./referrers_tag.ts";
import { type Endpoint, endpoints, isInsecureHost, pushEndpoint } from "./registries_conf.ts";
import type { RegistrySettings } from "./settings.ts";
import { DEFAULT_TIMING, type Timing } from "./timing.ts";
import type { UploadOptions } from "./upload.ts";

/**
 * One repository of a registry. Reading asks the mirrors and goes to the location that registries.conf
 * names; writing goes where the name says, as with podman and skopeo. Any number of calls may run at a time; how many is for the caller.
 *
 * Every method throws {@linkcode LayerfsError}: `not-found`; `unauthorized`; `unreachable` once all
 * tries have failed; `registry-invalid` for answers against the specification; `permission-missing`
 * where Deno may not use the network; `interrupted`. Messages name registry, repository, request and
 * status, and hold no secrets.
 */
export class RegistryClient implements AsyncDisposable {
  readonly #exchange: Exchange;
  readonly #timing: Timing;
  readonly #registry: Connection;
  /** Where to read from; the one that has answered stands first. */
  #readable: Connection[];

  private constructor(
    settings: RegistrySettings,
    timing: Partial<Timing>,
    places: { readonly push: Endpoint; readonly pull: readonly Endpoint[] },
  ) {
    this.#timing = { ...DEFAULT_TIMING, ...timing };
    this.#exchange = new Exchange(settings, this.#timing);
    const connect = (endpoint: Endpoint) =>
      new Connection(endpoint, this.#exchange, settings, this.#timing);
    this.#registry = connect(places.push);
    // What is written to where it is read from shares its tokens.
    this.#readable = places.pull.map((endpoint) =>
      isSame(endpoint, places.push) ? this.#registry : connect(endpoint)
    );
  }

  /**
   * A client for the repository of `image`. Nothing is sent yet. Dispose of it.
   *
   * @param image its tag and digest decide which mirrors there are, nothing else
   * @param timing for tests
   * @throws {LayerfsError} `unauthorized` where registries.conf blocks it
   */
  static open(
    image: ImageName,
    settings: RegistrySettings,
    timing: Partial<Timing> = {},
  ): RegistryClient {
    return new RegistryClient(settings, timing, {
      push: pushEndpoint(settings.registries, image),
      pull: endpoints(settings.registries, image),
    });
  }

  /** A client for a registry as a whole, which can {@linkcode ping} only. */
  static forHost(
    host: string,
    settings: RegistrySettings,
    timing: Partial<Timing> = {},
  ): RegistryClient {
    const insecure = isInsecureHost(settings.registries, host);
    const push = { host, repository: "", insecure, mirror: false };
    return new RegistryClient(settings, timing, { push, pull: [push] });
  }

  /** Asks whether the registry is there and knows who we are. */
  async ping(signal?: AbortSignal): Promise<void> {
    const reply = await this.#registry.request({
      action: "Cannot log in",
      method: "GET",
      target: "/v2/",
      accept: [200],
      ...(signal ? { signal } : {}),
    });
    await reply.discard();
  }

  /**
   * Reads a manifest or index. What is asked for by digest has that digest; for a tag, the result's
   * digest is that of the bytes.
   *
   * @param reference a tag or a digest
   * @param accept media types to ask for; all that layerfs knows where it is absent
   * @throws {LayerfsError} `digest-mismatch`, `image-invalid` beyond MAX_DOCUMENT_BYTES
   */
  manifest(
    reference: string,
    accept: readonly string[] = MANIFEST_TYPES,
    signal?: AbortSignal,
  ): Promise<FetchedManifest> {
    return this.#read((connection) => readManifest(connection, reference, accept, signal));
  }

  /**
   * What a tag stands for, by a request that no rate limit counts; null where the registry does not
   * say. The digest is only worth what is then fetched by it.
   */
  resolve(
    tag: string,
    accept: readonly string[] = MANIFEST_TYPES,
    signal?: AbortSignal,
  ): Promise<ResolvedTag | null> {
    return this.#read((connection) => resolveTag(connection, tag, accept, signal));
  }

  /**
   * The content of a blob as a stream, which goes on by itself where a connection breaks: exactly as
   * many bytes as `descriptor` says, in pieces that are valid until the next one: copy what is to
   * outlive that, or goes to what takes the memory over, as `Deno.writeFile` does. The digest is for
   * the caller to check, over the whole stream.
   *
   * @param onOrigin takes the registry or mirror that the bytes to come are from
   * @throws {LayerfsError} `size-mismatch`
   */
  blob(
    descriptor: Descriptor,
    signal?: AbortSignal,
    onOrigin?: (origin: BlobOrigin) => void,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    return readBlob(this.#readable, this.#timing, descriptor, signal, ({ endpoint }) => {
      onOrigin?.({ registry: endpoint.host, repository: endpoint.repository });
    });
  }

  /**
   * A small blob as a whole, or a manifest or index that another document names, with size and
   * digest verified.
   *
   * @throws {LayerfsError} `size-mismatch`, `digest-mismatch`, `image-invalid` beyond
   * MAX_DOCUMENT_BYTES, `unsupported` for a digest that layerfs does not compute
   */
  async document(descriptor: Descriptor, signal?: AbortSignal): Promise<Uint8Array> {
    const { size, mediaType } = descriptor;
    const algorithm = digestAlgorithm(descriptor.digest);
    if (size > MAX_DOCUMENT_BYTES) {
      const { host, repository } = this.#registry.endpoint;
      throw new LayerfsError(
        "image-invalid",
        `Cannot read ${descriptor.digest} of ${host}/${repository}: its descriptor says ${size} ` +
          `bytes; a document has ${MAX_DOCUMENT_BYTES} at most`,
        { registry: host, repository },
      );
    }
    if (!isManifest(mediaType) && !isIndex(mediaType)) {
      return await this.#smallBlob(descriptor, algorithm, signal);
    }
    return await this.#read((connection) => readDescribed(connection, descriptor, signal));
  }

  /** Whether the registry itself has a blob. */
  hasBlob(descriptor: Descriptor, signal?: AbortSignal): Promise<boolean> {
    return hasBlob(this.#registry, descriptor, signal);
  }

  /**
   * Brings a blob into the registry, unless it is there.
   *
   * @param content begins the whole content, each time it is called: an upload that breaks is tried
   * again
   * @throws {LayerfsError} `size-mismatch`, `digest-mismatch`
   */
  uploadBlob(
    descriptor: Descriptor,
    content: () => AsyncIterable<Uint8Array>,
    options: UploadOptions = {},
  ): Promise<UploadOutcome> {
    return writeBlob(this.#registry, this.#timing, descriptor, content, options);
  }

  /**
   * Writes a manifest or index, whose blobs and manifests must be there.
   *
   * @param reference a tag, or the digest of `bytes`
   * @throws {LayerfsError} `digest-mismatch` where `reference` is another digest, `registry-invalid`
   * where the registry refuses it, or says that it has another digest
   */
  async putManifest(
    reference: string,
    bytes: Uint8Array<ArrayBuffer>,
    mediaType: string,
    signal?: AbortSignal,
  ): Promise<PutManifest> {
    return await writeManifest(this.#registry, reference, bytes, mediaType, signal);
  }

  /**
   * Lists a manifest among the referrers of its subject, for a registry that does not do so by
   * itself (see {@linkcode PutManifest.subjectListed}): in the index of the referrers tag.
   *
   * @param referrer descriptor of the manifest, with its artifactType and annotations
   * @throws {LayerfsError} `registry-invalid` where something else has that tag, `unsupported` where
   * the index would be too long
   */
  addReferrer(subject: Digest, referrer: Descriptor, signal?: AbortSignal): Promise<void> {
    return addTaggedReferrer(this.#registry, subject, referrer, signal);
  }

  /** Descriptors of what refers to a manifest: signatures and the like. */
  referrers(digest: Digest, artifactType?: string, signal?: AbortSignal): Promise<Descriptor[]> {
    return this.#read((connection) => listReferrers(connection, digest, artifactType, signal));
  }

  /** The tags of the repository. */
  tags(signal?: AbortSignal): Promise<string[]> {
    return this.#read((connection) => listTags(connection, signal));
  }

  /** Closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#exchange.close();
  }

  /** All of a blob, verified. */
  async #smallBlob(
    descriptor: Descriptor,
    algorithm: DigestAlgorithm,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const { digest, size } = descriptor;
    const bytes = new Uint8Array(size);
    let at = 0;
    let from = this.#registry;
    const onConnection = (connection: Connection) => from = connection;
    const chunks = readBlob(this.#readable, this.#timing, descriptor, signal, onConnection);
    for await (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    const found = digestBytes(bytes, algorithm);
    if (found === digest) return bytes;
    const request = {
      action: `Cannot verify ${digest}`,
      method: "GET",
      target: from.path(`blobs/${digest}`),
    } as const;
    throw from.wrong("digest-mismatch", request, `digest is "${found}"`, { digest, found });
  }

  /** Asks mirrors and registry; the one that has an answer is asked first from then on. */
  #read<T>(ask: (connection: Connection) => Promise<T>): Promise<T> {
    return firstOf(this.#readable, async (connection) => {
      const answer = await ask(connection);
      this.#readable = [connection, ...this.#readable.filter((other) => other !== connection)];
      return answer;
    });
  }
}

function isSame(one: Endpoint, other: Endpoint): boolean {
  return one.host === other.host && one.repository === other.repository &&
    one.insecure === other.insecure;
}
