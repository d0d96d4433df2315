/**
 * Images that go into a registry.
 *
 * @module
 */

import { type ErrorCode, LayerfsError } from "../errors.ts";
import { algorithmName } from "../oci/digest.ts";
import type { RegistryReference } from "../oci/reference.ts";
import { RegistryClient } from "../registry/client.ts";
import type { RegistrySettings } from "../registry/settings.ts";
import type { GraphDocument, ImageGraph } from "./graph.ts";
import { mountSource } from "./mount_source.ts";
import { type Referrer, referrerOf } from "./referrer.ts";
import type { ImageSink, Transfer, TransferWork } from "./sink.ts";
import { verifiedPieces } from "./verified.ts";
import { type BlobTarget, writeBlobs } from "./write_blobs.ts";

/** Codes of errors by which a registry refuses the name of a manifest (Distribution 2.8: sha512). */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(["digest-mismatch", "registry-invalid"]);

/**
 * Codes of errors that tell that the index of referrers cannot be written: the registry does not let
 * us, or something else has its tag. The image itself is there.
 */
const UNLISTED: ReadonlySet<ErrorCode> = new Set([
  "image-invalid",
  "digest-mismatch",
  "registry-invalid",
  "unauthorized",
  "unsupported",
]);

/** A tag in a registry. */
export class RegistrySink implements ImageSink {
  readonly reference: string;
  readonly #wanted: RegistryReference;
  readonly #settings: () => Promise<RegistrySettings>;
  readonly #store: string | undefined;

  /** @param store path of the store that the image is in; absent where it comes from elsewhere */
  constructor(
    wanted: RegistryReference,
    settings: () => Promise<RegistrySettings>,
    store?: string,
  ) {
    const { host, repository, tag } = wanted;
    this.#wanted = wanted;
    this.#settings = settings;
    this.#store = store;
    this.reference = `docker://${host}/${repository}:${tag}`;
  }

  async write(graph: ImageGraph, work: TransferWork): Promise<Transfer> {
    const root = this.#root(graph);
    const { tag = "latest" } = this.#wanted;
    await using client = RegistryClient.open(this.#wanted, await this.#settings());
    const warnings: string[] = [];
    const put = async (document: GraphDocument, reference: string) => {
      const { bytes, descriptor: { mediaType } } = document;
      const { signal } = work;
      const own = new Uint8Array(bytes);
      const { subjectListed } = await client.putManifest(reference, own, mediaType, signal);
      const referrer = subjectListed ? null : referrerOf(document);
      if (referrer !== null) warnings.push(...await listReferrer(client, referrer, signal));
    };
    const target = this.#target(client, graph, work, async (document) => {
      const { digest } = document.descriptor;
      if (document !== root) return await put(document, digest);
      // By a tag alone, a registry names it by its sha256.
      if (algorithmName(digest) === "sha256") return;
      try {
        await put(document, digest);
      } catch (error) {
        if (!(error instanceof LayerfsError) || !REFUSALS.has(error.code)) throw error;
        warnings.push(`the registry does not name manifests by ${digest}; it is there by its tag`);
      }
    });
    const transfer = await writeBlobs(graph, target, work);
    await put(root, tag);
    return { ...transfer, warnings: [...new Set([...transfer.warnings, ...warnings])] };
  }

  #target(
    client: RegistryClient,
    graph: ImageGraph,
    { engine }: TransferWork,
    put: (document: GraphDocument) => Promise<void>,
  ): BlobTarget {
    const holderOf = mountSource(graph, this.#wanted, this.#store);
    return {
      isRemote: true,
      leavesForeign: true,
      has: (descriptor, signal) => client.hasBlob(descriptor, signal),
      add: async (content, descriptor, { signal, onBytes }) => {
        let told = 0;
        // A second try begins anew, and has no bytes to tell of that were told.
        const open = () => {
          let sent = 0;
          return verifiedPieces(content, descriptor, {
            engine,
            signal,
            onBytes: (delta) => {
              sent += delta;
              if (sent <= told) return;
              onBytes(sent - told);
              told = sent;
            },
          });
        };
        const from = await holderOf(descriptor);
        const mount = from === null ? {} : { mountFrom: from };
        const outcome = await client.uploadBlob(descriptor, open, { ...mount, signal });
        onBytes(descriptor.size - told);
        return outcome === "uploaded" ? "copied" : "reused";
      },
      addDocument: async (document) => {
        await put(document);
        return "copied";
      },
    };
  }

  /** What gets the tag. */
  #root({ roots, documents, reference }: ImageGraph): GraphDocument {
    const [root] = roots;
    if (root === undefined || roots.length > 1) {
      throw new LayerfsError(
        "unsupported",
        `Cannot push "${reference}": it is ${roots.length} images of one tag without an index, ` +
          "and a tag of a registry stands for one; choose one with --platform",
        { reference },
      );
    }
    const document = documents.find(({ descriptor }) => descriptor.digest === root.digest);
    if (document !== undefined) return document;
    throw new LayerfsError(
      "unsupported",
      `Cannot push "${reference}": its type is "${root.mediaType}", which is no manifest and no ` +
        "index",
      { reference, mediaType: root.mediaType },
    );
  }
}

/**
 * Lists a referrer, as the registry does not.
 *
 * @returns a warning where it cannot be listed
 */
async function listReferrer(
  client: RegistryClient,
  { subject, descriptor }: Referrer,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  try {
    await client.addReferrer(subject, descriptor, signal);
    return [];
  } catch (error) {
    if (!(error instanceof LayerfsError) || !UNLISTED.has(error.code)) throw error;
    return [
      `the registry does not list what refers to a subject: ${descriptor.digest} is there, and ` +
      `found by its digest or tag only: ${error.message}`,
    ];
  }
}
