/**
 * The errors of layerfs: one class, a closed union of codes, one exit status a code.
 *
 * Messages have one form: the failed action, a colon, the state that was found, with the value in
 * quotes where there is one, and what to do about it where the user can do something.
 *
 * @example
 * ```ts
 * import { exitStatus, LayerfsError } from "./errors.ts";
 *
 * const error = new LayerfsError("not-found", 'Cannot open image "oci:x": no such directory');
 * console.assert(exitStatus(error.code) === 4);
 * ```
 *
 * @module
 */

/** Every code that a {@linkcode LayerfsError} can carry. */
export type ErrorCode =
  | "unexpected"
  | "usage"
  /** A document or a layer breaks a rule of its specification. */
  | "image-invalid"
  /** Bytes do not have the digest (or diffID) that they were announced with. */
  | "digest-mismatch"
  /** Content is longer or shorter than its descriptor says. */
  | "size-mismatch"
  /** The image is valid, but uses something that layerfs does not read. */
  | "unsupported"
  /** A registry refuses a request that is right, or answers against the distribution spec. */
  | "registry-invalid"
  | "not-found"
  | "platform-not-found"
  /** A registry does not answer, or is too busy or broken to; the image may be there. */
  | "unreachable"
  | "conflict"
  | "busy"
  | "permission-missing"
  | "program-missing"
  | "privilege-missing"
  /** A pool, a dataset, a daemon or a kernel module is missing. */
  | "environment-missing"
  /** A registry wants credentials, or others than it got; or its use is forbidden here. */
  | "unauthorized"
  /** The disk or the quota is full. */
  | "storage-full"
  | "storage"
  | "interrupted";

/**
 * Exit status of each error code. 1 unexpected, 2 usage, 3 the image or a registry's answer is
 * invalid, 4 not found or out of reach, 5 conflict or busy, 6 a permission, program, privilege, pool
 * or login is missing, 7 storage failed, 130 interrupted and cleaned up.
 */
const EXIT_STATUS: Readonly<Record<ErrorCode, number>> = {
  "unexpected": 1,
  "usage": 2,
  "image-invalid": 3,
  "digest-mismatch": 3,
  "size-mismatch": 3,
  "unsupported": 3,
  "registry-invalid": 3,
  "not-found": 4,
  "platform-not-found": 4,
  "unreachable": 4,
  "conflict": 5,
  "busy": 5,
  "permission-missing": 6,
  "program-missing": 6,
  "privilege-missing": 6,
  "environment-missing": 6,
  "unauthorized": 6,
  "storage-full": 7,
  "storage": 7,
  "interrupted": 130,
};

/** What an error carries beside its message: printed as keys of `{"error": …}` in JSON mode. */
export type ErrorData = Readonly<
  Record<string, string | number | boolean | null | readonly Readonly<Record<string, string>>[]>
>;

/** The process exit status that belongs to `code`. */
export function exitStatus(code: ErrorCode): number {
  return EXIT_STATUS[code];
}

/**
 * Text with nothing that moves a terminal's cursor or turns its writing around: control and
 * bidirectional characters stand as \\u escapes. Names in an image can hold any of them.
 */
export function printable(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex -- control characters are what this is about
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The only error that layerfs throws on purpose; anything else is a bug of ours. */
export class LayerfsError extends Error {
  /** What kind of error this is, as of every error class. */
  override readonly name = "LayerfsError";
  /** What went wrong, for programs. */
  readonly code: ErrorCode;
  /** Facts of this case, for programs. */
  readonly data: ErrorData;

  /**
   * Makes an error.
   *
   * @param message the failed action, ": ", the state found; made {@linkcode printable}
   * @param data facts that a program may want without parsing the message
   */
  constructor(code: ErrorCode, message: string, data: ErrorData = {}, options?: ErrorOptions) {
    super(printable(message), options);
    this.code = code;
    this.data = data;
  }

  /** The JSON document of this error: `{"error": {"code", "message", …data}}`. */
  toJSON(): { error: Record<string, unknown> } {
    return { error: { ...this.data, code: this.code, message: this.message } };
  }
}

/**
 * An error with what it belongs to in front of its message: `what`, ": ", the message.
 *
 * @param data is added to that of the error, which wins
 * @returns anything but a LayerfsError as it is
 */
export function within(error: unknown, what: string, data: ErrorData = {}): unknown {
  if (!(error instanceof LayerfsError)) return error;
  const message = `${what}: ${error.message}`;
  return new LayerfsError(error.code, message, { ...data, ...error.data }, { cause: error });
}
