/**
 * Text for people: colours where they are wanted, sizes and times in readable units.
 *
 * @module
 */

/** Paints text; with colours off every method returns its argument. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

/** Makes a {@linkcode Style}. */
export function createStyle(colours: boolean): Style {
  const paint = (on: number, off: number) => (text: string) =>
    colours ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return { bold: paint(1, 22), red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39) };
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/**
 * Bytes in decimal units with three digits or so: `0 B`, `12.3 MB`. Not by Intl, as @std/fmt does
 * it: that takes 25 ms to start with (measured), a third of a whole create whose layers are there.
 */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; Math.round(value * 10) >= 10_000 && unit < UNITS.length - 1; unit++) value /= 1000;
  return `${Math.round(value * 10) / 10} ${UNITS[unit]}`;
}

/** A length of time: `0.42 s`, `12.3 s`, `3:05`, `1:02:03`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return formatClock(seconds);
}

/** Minutes and seconds as `3:05`, with hours as `1:02:03`. */
export function formatClock(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60];
  if (whole >= 3600) parts.unshift(Math.floor(whole / 3600));
  return parts.map((part, at) => at === 0 ? `${part}` : String(part).padStart(2, "0")).join(":");
}
