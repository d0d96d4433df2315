/**
 * What the commands that copy images have in common.
 *
 * @module
 */

import { parsePlatform } from "../oci/platform.ts";
import type { CopiedImage, CopyOptions } from "../transfer/copy.ts";
import { chooseOne } from "./choose_one.ts";
import type { Context, Outcome } from "./context.ts";
import { formatBytes } from "./style.ts";

/** Values of the options of `copy` and `push`. */
interface CopyValues {
  readonly all: boolean;
  readonly platform: string | undefined;
}

/**
 * What `copy` and `push` hand on, but for the two references and how registries are reached.
 *
 * @throws {LayerfsError} `usage`
 */
export function copyRequest(
  values: CopyValues,
  context: Context,
): Omit<CopyOptions, "source" | "destination"> {
  chooseOne(values, ["all", "platform"]);
  const { all, platform } = values;
  const { signal, onProgress } = context;
  return {
    store: context.store,
    engine: context.globals["digest-engine"] ?? "wasm",
    all,
    ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
    signal,
    ...(onProgress === undefined ? {} : { onProgress }),
  };
}

/** What `copy` and `push` print. */
export function copyOutcome(document: CopiedImage): Outcome {
  const { digest, copied, reused, leftOut, warnings } = document;
  const lacks = leftOut.layers === 0
    ? ""
    : `, ${leftOut.layers} layers left out (${formatBytes(leftOut.bytes)})`;
  return {
    document,
    text: `${digest}\n`,
    warnings,
    remark: `image ${document.destination}: ${copied.blobs} blobs copied ` +
      `(${formatBytes(copied.bytes)}), ${reused.blobs} were there${lacks}`,
  };
}
