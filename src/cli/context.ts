/**
 * What a command works with, and what it gives back.
 *
 * @module
 */

import type { DigestEngine } from "../core/hasher.ts";
import type { ProgressListener } from "../layer/progress.ts";
import type { Io } from "./io.ts";
import type { Globals } from "./parse.ts";
import type { Options, Values } from "./spec.ts";
import type { Style } from "./style.ts";

/** Which store a command works on: StoreOptions of src/container, with what the CLI adds. */
export interface StoreChoice {
  /** Absolute path. */
  readonly store: string;
  readonly driver: "auto" | "zfs" | "overlay" | "directory";
  /** ZFS root dataset. */
  readonly dataset?: string;
  readonly engine: DigestEngine;
}

/** What a command works with. */
export interface Context {
  readonly io: Io;
  readonly globals: Globals;
  /** For text on standard output. */
  readonly style: Style;
  /** Aborts at SIGINT and SIGTERM; its reason is a LayerfsError `interrupted`. */
  readonly signal: AbortSignal;
  /** Takes the steps of a long work; undefined where nobody watches. */
  readonly onProgress?: ProgressListener;
  /** Prints a warning now; an outcome has its own. */
  readonly onWarning: (warning: string) => void;
  /**
   * The store that options and environment name: asked for by the commands that need one only, as
   * it takes permissions (environment, user id).
   */
  readonly store: () => StoreChoice;
}

/** The command line of one command. */
export interface Input<O extends Options> {
  readonly values: Values<O>;
  readonly operands: readonly string[];
}

/** The result of a command: a document for programs, text for people. */
export interface Outcome {
  /** Exit status; 0 where absent. */
  readonly status?: number;
  /** Printed with `--json`; nothing is where it is absent. */
  readonly document?: unknown;
  /** Printed without `--json`, as it is. */
  readonly text?: string;
  /** Printed on standard error, each as a line; in JSON they are part of the document. */
  readonly warnings?: readonly string[];
  /** A remark for people who watch: on standard error, where that is a terminal. */
  readonly remark?: string;
}

/** What carries out a command. */
export type Handler<O extends Options> = (
  input: Input<O>,
  context: Context,
) => Promise<Outcome>;
