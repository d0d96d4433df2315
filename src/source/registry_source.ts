/**
 * An image in a registry.
 *
 * A tag is resolved to a digest first, and what counts from then on is the digest: every document is
 * verified by it, every blob by whoever reads its stream.
 *
 * @module
 */

import type { BlobContent, BlobOrigin } from "../blob/content.ts";
import type { BlobLocation } from "../blob/location.ts";
import { LayerfsError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { parseLayerMediaType } from "../oci/media_type.ts";
import type { ImageName } from "../oci/reference.ts";
import { quote } from "../oci/strict_json.ts";
import type { RegistryClient } from "../registry/client.ts";
import type { RegistrySettings } from "../registry/settings.ts";
import { readVerified } from "./document.ts";
import type { DescriptorSource } from "./source.ts";

/** Bytes of documents that are kept, so that none is fetched twice. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** Where the bytes of a blob are already; null where they must be fetched. */
export type FindStored = (descriptor: Descriptor) => BlobLocation | null;

/** An image in a registry, by its tag or its digest. */
export class RegistrySource implements DescriptorSource {
  /** Which of the two kinds of source this is. */
  readonly kind = "oci";
  /** As messages name it, such as "docker://docker.io/library/alpine:latest". */
  readonly reference: string;
  /** The repository that its blobs are in. */
  readonly registry: ImageName;
  readonly #lease: ClientLease;
  readonly #findStored: FindStored;
  readonly #kept = new Map<Digest, Uint8Array>();
  #keptBytes = 0;
  #index: readonly Descriptor[] | null = null;

  /**
   * Nothing is sent yet, and no setting is looked up.
   *
   * @param settings gives what is known of registries
   * @param findStored finds what need not be fetched
   */
  constructor(
    image: ImageName,
    settings: () => Promise<RegistrySettings>,
    findStored: FindStored,
  ) {
    const { host, repository, tag, digest } = image;
    const version = digest === undefined ? `:${tag}` : `@${digest}`;
    this.reference = `docker://${host}/${repository}${version}`;
    this.registry = image;
    this.#lease = new ClientLease(image, settings);
    this.#findStored = findStored;
  }

  /**
   * A digest says which content is meant: a tag beside it chooses nothing more. What the tag meant
   * at first, it means for good.
   */
  async index(): Promise<readonly Descriptor[]> {
    return this.#index ??= await this.#resolve();
  }

  async document(descriptor: Descriptor): Promise<Uint8Array> {
    const { digest, size, data } = descriptor;
    if (data !== undefined) return readVerified(descriptor, () => missing(descriptor));
    const kept = this.#kept.get(digest);
    if (kept?.length === size) return kept;
    const stored = this.#findStored(descriptor);
    if (stored !== null) return readVerified(descriptor, () => stored);
    const bytes = await this.#lease.use((client) => client.document(descriptor));
    this.#keep(digest, bytes);
    return bytes;
  }

  /** That the registry does not have a blob shows when its stream is opened. */
  locate(descriptor: Descriptor): BlobContent {
    const { digest, size, urls, mediaType } = descriptor;
    digestAlgorithm(digest);
    const url = urls?.[0];
    if (url !== undefined && parseLayerMediaType(mediaType)?.nondistributable === true) {
      throw new LayerfsError(
        "image-invalid",
        `Cannot read ${digest} (${mediaType}) from "${this.reference}": registries do not hand it ` +
          `on; it may be had from ${quote(url)}`,
        { digest },
      );
    }
    const stored = this.#findStored(descriptor);
    if (stored !== null) return stored;
    let origin: BlobOrigin | undefined;
    const onOrigin = (from: BlobOrigin) => origin = from;
    return {
      length: size,
      open: (signal) => this.#stream(descriptor, signal, onOrigin),
      origin: () => origin,
    };
  }

  /** What refers to a manifest: signatures, attestations and the like. */
  async referrers(digest: Digest): Promise<readonly Descriptor[]> {
    return await this.#lease.use((client) => client.referrers(digest));
  }

  /** Streams of its blobs may be opened after it, too; each then connects anew. */
  async close(): Promise<void> {
    await this.#lease.close();
  }

  /** For `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #resolve(): Promise<readonly Descriptor[]> {
    const { tag = "latest", digest } = this.registry;
    return await this.#lease.use(async (client) => {
      const resolved = digest ?? (await client.resolve(tag))?.digest;
      const found = await client.manifest(resolved ?? tag);
      this.#keep(found.digest, found.bytes);
      const { mediaType, bytes } = found;
      return [{ mediaType, digest: found.digest, size: bytes.length }];
    });
  }

  /** A config has been read as a document as a rule. */
  async *#stream(
    descriptor: Descriptor,
    signal: AbortSignal | undefined,
    onOrigin: (origin: BlobOrigin) => void,
  ): AsyncGenerator<Uint8Array> {
    const kept = this.#kept.get(descriptor.digest);
    if (kept?.length === descriptor.size) yield kept.slice();
    else yield* this.#lease.stream(descriptor, signal, onOrigin);
  }

  #keep(digest: Digest, bytes: Uint8Array): void {
    if (this.#keptBytes + bytes.length > MAX_KEPT_BYTES) return;
    this.#keptBytes += bytes.length;
    this.#kept.set(digest, bytes);
  }
}

/** Where there is embedded data, nothing is located. */
function missing({ digest }: Descriptor): never {
  throw new TypeError(`${digest} is embedded`);
}

/** A client that is there as long as somebody uses it. */
class ClientLease {
  readonly #image: ImageName;
  readonly #settings: () => Promise<RegistrySettings>;
  #client: Promise<RegistryClient> | null = null;
  #users = 0;
  #isOpen = true;

  constructor(image: ImageName, settings: () => Promise<RegistrySettings>) {
    this.#image = image;
    this.#settings = settings;
  }

  async use<T>(action: (client: RegistryClient) => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await action(await this.#open());
    } finally {
      await this.#release();
    }
  }

  async *stream(
    descriptor: Descriptor,
    signal: AbortSignal | undefined,
    onOrigin: (origin: BlobOrigin) => void,
  ): AsyncGenerator<Uint8Array> {
    this.#users++;
    try {
      const client = await this.#open();
      yield* client.blob(descriptor, signal, onOrigin);
    } finally {
      await this.#release();
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#disposeUnused();
  }

  #open(): Promise<RegistryClient> {
    return this.#client ??= this.#connect();
  }

  /** The client is loaded only here: it takes as long as half of Deno's start. */
  async #connect(): Promise<RegistryClient> {
    const { RegistryClient }: typeof import("../registry/client.ts") = await import(
      import.meta.resolve("../registry/client.ts")
    );
    return RegistryClient.open(this.#image, await this.#settings());
  }

  async #release(): Promise<void> {
    this.#users--;
    await this.#disposeUnused();
  }

  async #disposeUnused(): Promise<void> {
    if (this.#isOpen || this.#users > 0 || this.#client === null) return;
    const client = this.#client;
    this.#client = null;
    // Where opening it has failed, whoever wanted it has the error.
    await client.then((opened) => opened[Symbol.asyncDispose](), () => {});
  }
}
