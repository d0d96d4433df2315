/**
 * Who may read the files and directories of an image layout that layerfs writes.
 *
 * @module
 */

/** Permissions, 12 bits, before the umask takes its own away. */
export interface Modes {
  readonly file: number;
  readonly directory: number;
}

/** Of a store: its user only, as root filesystems with setuid programs are in it. */
export const PRIVATE: Modes = { file: 0o600, directory: 0o700 };

/** Of a layout that a user has others see: what the umask leaves, as with every program. */
export const PUBLIC: Modes = { file: 0o666, directory: 0o777 };
