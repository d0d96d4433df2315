/**
 * layerfs turns OCI images into container root filesystems and runtime bundles.
 *
 * One call verifies an image, puts its layers on disk and leaves a bundle (`config.json` and
 * `rootfs`) that an OCI runtime starts. Where something goes wrong, a {@linkcode LayerfsError} says
 * what, with a code for programs, and nothing is left behind.
 *
 * Started as a program, this module is the command line: `deno run … mod.ts --help`.
 *
 * @example A container from an image that the library makes itself
 * ```ts
 * import { createContainer, NO_OVERRIDES, removeContainers, writeHelloLayout } from "./mod.ts";
 *
 * const directory = await Deno.makeTempDir();
 * await writeHelloLayout(`${directory}/hello`);
 * const where = { store: `${directory}/store`, driver: "directory", engine: "wasm" } as const;
 *
 * const { id, bundle } = await createContainer({
 *   ...where,
 *   image: `oci:${directory}/hello`,
 *   overrides: { ...NO_OVERRIDES, env: ["LANG=C.UTF-8"] },
 *   command: [],
 *   signal: new AbortController().signal,
 * });
 * console.assert((await Deno.stat(`${bundle}/config.json`)).isFile);
 *
 * await removeContainers(where, [id], false);
 * await Deno.remove(directory, { recursive: true });
 * ```
 *
 * @example What an image breaks of the specification
 * ```ts
 * import { validateImage, writeHelloLayout } from "./mod.ts";
 *
 * const directory = await Deno.makeTempDir();
 * await writeHelloLayout(`${directory}/hello`);
 * const { valid, points } = await validateImage(`oci:${directory}/hello`);
 * console.assert(valid && points.every(({ outcome }) => outcome !== "fail"));
 * await Deno.remove(directory, { recursive: true });
 * ```
 *
 * @module
 */

// Containers.
export { createContainer, type CreateOptions, type CreateResult } from "./src/container/create.ts";
export type { OriginOptions } from "./src/container/origin.ts";
export {
  NO_OVERRIDES,
  type Overrides,
  type Tmpfs,
  type Volume,
} from "./src/container/overrides.ts";
export { runContainer, type RunContainerOptions } from "./src/container/run.ts";
export { removeContainers } from "./src/container/remove.ts";
export { type ContainerRow, listContainers } from "./src/container/list.ts";
export { inspectContainer, inspectImage } from "./src/container/inspect.ts";
export type { RuntimeName } from "./src/container/runtime.ts";
export type {
  ContainerDetails,
  ImageDetails,
  InspectImageOptions,
} from "./src/container/inspect.ts";
export type {
  ContainerRecord,
  ContainerSettings,
  ImageRecord,
  RootfsOrigin,
} from "./src/container/record.ts";
export { type ProgramInfo, type StoreInfo, storeInfo } from "./src/container/info.ts";
export { mount, type MountOptions, unmount } from "./src/container/mount.ts";
export type { StoreOptions } from "./src/store/store.ts";
export type { DriverName } from "./src/store/driver.ts";
export type { ProgressEvent, ProgressListener } from "./src/layer/progress.ts";
export type { Work } from "./src/store/work.ts";
export { type ThreadKind, Threads } from "./src/layer/threads.ts";

// What a store holds besides containers.
export {
  type ImageRow,
  listImages,
  removeImages,
  type RemoveImagesOptions,
  tagImage,
} from "./src/container/images.ts";
export { type LayerRow, listLayers } from "./src/container/layers.ts";
export { pull, type PulledImage, type PullIntoStoreOptions } from "./src/container/pull.ts";
export { diffContainer, type DiffRow } from "./src/container/diff.ts";
export type { ChangeKind } from "./src/layer/tree_changes.ts";
export {
  commitContainer,
  type CommitContainerOptions,
  type CommittedImage,
} from "./src/container/commit.ts";
export type { CommitOptions } from "./src/store/commit.ts";
export type { BasePlaces } from "./src/container/base.ts";
export type { BlobCount, MadeImage } from "./src/store/stored_image.ts";
export {
  type RebaseConflict,
  rebaseContainer,
  type RebaseOptions,
  type RebaseResult,
  type Settlement,
} from "./src/container/rebase.ts";
export type { Side } from "./src/layer/tree_merge.ts";
export { squash, type SquashedImage, type SquashImageOptions } from "./src/container/squash.ts";
export { type GcOptions, removeUnused } from "./src/container/gc.ts";
export type { GcResult } from "./src/store/gc.ts";
export { fsck, type FsckResult, type FsckStoreOptions } from "./src/container/fsck.ts";
export type { FsckOptions, Problem, ProblemKind, WaitingLayer } from "./src/container/fsck.ts";
export { type SpaceRow, type StoreSpace, storeSpace } from "./src/container/df.ts";
export type { Capacity } from "./src/store/driver.ts";

// Images.
export { type Level, type Outcome, type Point } from "./src/validate/validate.ts";
export { validateImage, type Validation } from "./src/validate/validate.ts";
export { HELLO_TAG, HELLO_TEXT, writeHelloLayout } from "./src/hello/hello_image.ts";
export { resolveImage } from "./src/source/image.ts";
export type { ResolvedImage, ResolvedLayer } from "./src/source/image.ts";
export type { BlobContent, BlobOrigin, BlobStream } from "./src/blob/content.ts";
export type { BlobLocation } from "./src/blob/location.ts";
export type { SourcePlaces } from "./src/source/open.ts";
export type { PullPolicy } from "./src/source/name_source.ts";
export { type CopiedImage, copyImage, type CopyOptions } from "./src/transfer/copy.ts";
export type { ImageChoice } from "./src/transfer/graph.ts";
export type { TransferWork } from "./src/transfer/sink.ts";

// Registries.
export { RegistryClient } from "./src/registry/client.ts";
export type { PutManifest } from "./src/registry/manifest_writer.ts";
export type { FetchedManifest, ResolvedTag } from "./src/registry/manifest_reader.ts";
export type { UploadOutcome } from "./src/registry/blob_writer.ts";
export type { UploadOptions } from "./src/registry/upload.ts";
export { Credentials } from "./src/registry/credentials.ts";
export { loadRegistrySettings, REGISTRY_VARIABLES } from "./src/registry/settings.ts";
export { parseCredentials } from "./src/registry/settings.ts";
export type {
  CertificateDirectories,
  HostCredentials,
  RegistryOptions,
} from "./src/registry/settings.ts";
export type { RegistryMachine, RegistrySettings } from "./src/registry/settings.ts";
export type { Mirror, MirrorUse, RegistryEntry } from "./src/registry/registries_conf.ts";
export type { Timing } from "./src/registry/timing.ts";
export { type CredentialPlace, login, type Logout, logout } from "./src/registry/login.ts";
export type { LoginOptions } from "./src/registry/login.ts";

// Documents of images: bytes in, typed values out.
export { type Digest, type DigestAlgorithm, parseDigest } from "./src/oci/digest.ts";
export type { Descriptor } from "./src/oci/descriptor.ts";
export { type Manifest, parseManifest } from "./src/oci/manifest.ts";
export { type ImageIndex, parseIndex } from "./src/oci/image_index.ts";
export { type ImageConfig, parseConfig } from "./src/oci/config.ts";
export type { ExecutionConfig, Healthcheck, HistoryEntry } from "./src/oci/config.ts";
export { chainIds } from "./src/core/chain_id.ts";
export { formatPlatform, hostPlatform, parsePlatform, type Platform } from "./src/oci/platform.ts";
export { type PlatformChoice, selectPlatform } from "./src/oci/platform.ts";
export { type ImageName, parseReference, type Reference } from "./src/oci/reference.ts";
export type { DockerArchiveReference, LayoutReference } from "./src/oci/reference.ts";
export type { RegistryReference, StoreReference } from "./src/oci/reference.ts";
export type {
  RuntimeCapabilities,
  RuntimeConfig,
  RuntimeIdMapping,
  RuntimeLimit,
  RuntimeLinux,
  RuntimeMount,
  RuntimeNamespace,
  RuntimeProcess,
  RuntimeResources,
  RuntimeUser,
} from "./src/oci/runtime_spec.ts";

// Digests, computed in WebAssembly or by the platform.
export { createHasher, digestBytes, type DigestEngine, type Hasher } from "./src/core/hasher.ts";

// Tar, in the interface of @std/tar.
export {
  TarStream,
  type TarStreamCommon,
  type TarStreamDir,
  type TarStreamFile,
  type TarStreamInput,
  type TarStreamLink,
  type TarStreamOptions,
  type TarStreamSpecial,
} from "./src/tar/tar_stream.ts";
export { type TarStreamEntry, type TarStreamHeader, UntarStream } from "./src/tar/untar_stream.ts";
export type { TarEntryType, TarTime } from "./src/tar/header.ts";

// Errors.
export { type ErrorCode, type ErrorData, exitStatus, LayerfsError } from "./src/errors.ts";

// Deno may load what this names, whatever permissions the program or the library has.
import "./src/cli/late_modules.ts";

if (import.meta.main) await import("./src/cli/program.ts");
