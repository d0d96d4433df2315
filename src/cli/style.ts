/**
 * Text for people: colours where they are wanted, sizes and times in readable units.
 *
 * @module
 */

import { format } from "@std/fmt/bytes";

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

/** Bytes in decimal units with three digits or so: `0 B`, `12.3 MB`. */
export function formatBytes(bytes: number): string {
  return format(bytes, { maximumFractionDigits: bytes < 1000 ? 0 : 1 });
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
