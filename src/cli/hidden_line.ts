/**
 * A line that is typed without being shown: a password.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";

const ENTER = new Set([0x0a, 0x0d]);
const CONTROL_C = 0x03;
const CONTROL_D = 0x04;
const CONTROL_U = 0x15;
const ERASE = new Set([0x08, 0x7f]);

/**
 * Asks on the terminal. What is typed is not echoed.
 *
 * @param instead what else gives the password, such as "use --password-stdin"
 * @throws {LayerfsError} `usage` where standard input is no terminal, `interrupted` at control-C
 */
export function readHiddenLine(prompt: string, instead: string): string {
  if (!Deno.stdin.isTerminal()) {
    throw new LayerfsError(
      "usage",
      `Cannot ask for a password: standard input is no terminal; ${instead}`,
    );
  }
  // Before the prompt: who is quick, or a program, answers at once. And without the terminal's own
  // signals, which would leave it without echo.
  Deno.stdin.setRaw(true);
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(prompt));
    return readLine(() => {
      const byte = new Uint8Array(1);
      return Deno.stdin.readSync(byte) === null ? null : byte[0] ?? null;
    });
  } finally {
    Deno.stdin.setRaw(false);
    Deno.stderr.writeSync(new TextEncoder().encode("\n"));
  }
}

/**
 * Reads what is typed on a raw terminal up to the end of the line.
 *
 * @param next the next byte; null at the end of the input
 * @throws {LayerfsError} `interrupted`
 */
export function readLine(next: () => number | null): string {
  const typed: number[] = [];
  for (let byte = next(); byte !== null && !ENTER.has(byte); byte = next()) {
    if (byte === CONTROL_C) {
      throw new LayerfsError("interrupted", "Cannot ask for a password: interrupted");
    }
    if (byte === CONTROL_D) break;
    if (byte === CONTROL_U) typed.length = 0;
    else if (ERASE.has(byte)) eraseCharacter(typed);
    else typed.push(byte);
  }
  return new TextDecoder().decode(new Uint8Array(typed));
}

/** A character of UTF-8 is a first byte and bytes 10xxxxxx after it. */
function eraseCharacter(typed: number[]): void {
  while (((typed.pop() ?? 0) & 0xc0) === 0x80);
}
