/**
 * What `--rootfs` and `--fallback` name: a directory, or a tar archive, which may be compressed.
 *
 * @module
 */

import { type BlobLocation, openRegularFile } from "../blob/location.ts";
import { LayerfsError } from "../errors.ts";
import { storageError } from "../system_error.ts";
import { fileFormat, formatAdvice } from "./file_format.ts";

/** A root filesystem that is no image. */
export type RootfsSource =
  | { readonly kind: "directory"; readonly path: string }
  | {
    readonly kind: "tar";
    readonly location: BlobLocation;
    readonly compression: "none" | "gzip" | "zstd";
  };

/**
 * Finds out what `path` is. Symlinks in it are followed: the user has named it.
 *
 * @returns absolute paths
 * @throws {LayerfsError} `not-found`, or `unsupported` for a file that is no such archive
 */
export function openRootfs(path: string): RootfsSource {
  const action = `Cannot use rootfs "${path}"`;
  let real: string;
  try {
    real = Deno.realPathSync(path);
    if (Deno.statSync(real).isDirectory) return { kind: "directory", path: real };
  } catch (error) {
    throw storageError(error, action);
  }
  const { file, size } = openRegularFile(real);
  try {
    const format = fileFormat(file);
    const location = { path: real, offset: 0, length: size };
    if (format === "tar") return { kind: "tar", location, compression: "none" };
    if (format === "gzip" || format === "zstd") {
      return { kind: "tar", location, compression: format };
    }
    throw new LayerfsError("unsupported", `${action}: ${formatAdvice(format, path)}`, { path });
  } catch (error) {
    throw storageError(error, action);
  } finally {
    file.close();
  }
}
