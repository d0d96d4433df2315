/**
 * Finds layers whose contents are not what they were when they were applied.
 *
 * Each layer's tar stream is rebuilt from its skeleton (skeleton_format.ts) and the files in its
 * tree, and must have the layer's diffID again. So neither the files nor the skeleton is trusted,
 * and nothing has to be computed while a layer is applied that is not computed anyway. Four layers
 * at a time are digested in the four lanes of a vector.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { createHasher, type DigestEngine, type Hasher } from "../core/hasher.ts";
import { HasherLanes } from "../core/hasher_lanes.ts";
import type { LaneHasher } from "../core/lane_hashers.ts";
import { LayerfsError } from "../errors.ts";
import { digestAlgorithm } from "../oci/digest.ts";
import { LayerStream, type LayerToVerify, type LayerVerdict } from "./verify_layer_stream.ts";

export type { Difference, LayerToVerify, LayerVerdict } from "./verify_layer_stream.ts";

/** Layers at a time: as many as there are lanes. */
const AT_ONCE = 4;

/** Milliseconds after which signals and progress get their turn. */
const TURN_MS = 20;

export interface VerifyOptions {
  readonly engine: DigestEngine;
  /** A directory of our own, empty: for copies of files whose names Deno cannot say. Absolute. */
  readonly scratch: string;
  /** Whether the layers were applied with their owners and devices. */
  readonly asRoot: boolean;
  /** Ends the work between two pieces. */
  readonly signal: AbortSignal;
  /** Called with the number of bytes rebuilt, after each piece. */
  readonly onBytes?: (delta: number) => void;
}

/** A layer at work. */
interface Running {
  readonly index: number;
  readonly stream: LayerStream;
  readonly hasher: Hasher | LaneHasher;
}

/**
 * Verifies layers whose trees nobody changes meanwhile.
 *
 * @returns one verdict for each layer
 * @throws {LayerfsError} `interrupted`, or what keeps from reading altogether
 */
export async function verifyLayers(
  layers: readonly LayerToVerify[],
  options: VerifyOptions,
): Promise<LayerVerdict[]> {
  const verdicts: LayerVerdict[] = new Array(layers.length);
  const lanes = new HasherLanes();
  const running: Running[] = [];
  let next = 0;
  let turn = performance.now() + TURN_MS;
  try {
    while (running.length > 0 || next < layers.length) {
      for (; running.length < AT_ONCE && next < layers.length; next++) {
        const begun = begin(layers[next]!, next, lanes, options);
        if ("status" in begun) verdicts[next] = begun;
        else running.push(begun);
      }
      for (const layer of [...running]) {
        const verdict = advance(layer, options);
        if (verdict === null) continue;
        verdicts[layer.index] = verdict;
        running.splice(running.indexOf(layer), 1);
        close(layer);
      }
      if (performance.now() >= turn) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        turn = performance.now() + TURN_MS;
      }
      if (options.signal.aborted) {
        throw new LayerfsError("interrupted", "Cannot verify layers: interrupted");
      }
    }
  } finally {
    running.forEach(close);
  }
  return verdicts;
}

function begin(
  layer: LayerToVerify,
  index: number,
  lanes: HasherLanes,
  options: VerifyOptions,
): Running | LayerVerdict {
  const algorithm = digestAlgorithm(layer.diffId);
  const inLane = algorithm === "sha256" && options.engine === "wasm";
  const hasher = inLane ? lanes.open() : createHasher(algorithm, options.engine);
  try {
    const stream = new LayerStream(layer, hasher, options.scratch, options.asRoot);
    return { index, stream, hasher };
  } catch (error) {
    giveBack(hasher);
    return unverifiable(error);
  }
}

/** Does the next piece; the verdict once there is one. */
function advance({ stream }: Running, options: VerifyOptions): LayerVerdict | null {
  try {
    const length = stream.step();
    options.onBytes?.(length);
    return length > 0 ? null : stream.verdict();
  } catch (error) {
    return unverifiable(error);
  }
}

/** What keeps from verifying this layer, and not the others. */
function unverifiable(error: unknown): LayerVerdict {
  if (!(error instanceof LayerfsError) || error.code === "interrupted") throw error;
  if (error.code === "permission-missing" || error.code === "program-missing") throw error;
  const reason = error.code === "not-found" ? `there is no skeleton of it` : error.message;
  return { status: "unverifiable", reason };
}

function close({ stream, hasher }: Running): void {
  stream.close();
  giveBack(hasher);
}

function giveBack(hasher: Hasher | LaneHasher): void {
  if (Symbol.dispose in hasher) hasher[Symbol.dispose]();
}
