/**
 * What a command that works in a store hands on: the store, and how the work is done.
 *
 * @module
 */

import type { Work } from "../store/work.ts";
import type { Context, StoreChoice } from "./context.ts";

/** The store of the command line, with the signal and the progress of the command. */
export function storeWork(context: Context): StoreChoice & Work {
  const { signal, onProgress = () => {} } = context;
  return { ...context.store(), signal, onProgress };
}
