/**
 * A process made of variables, for tests of the command line.
 *
 * @module
 */

import type { Io } from "../../src/cli/io.ts";

/** An {@linkcode Io} that keeps what is written to it. */
export class FakeIo implements Io {
  out = "";
  err = "";
  stdoutIsTerminal = false;
  stderrIsTerminal = false;
  columns = 80;
  noColor = false;
  userId = 1000;
  /** Standard input, and what is typed without being shown. */
  input = "";
  secret = "";
  /** What is typed for a question. */
  answer = "";
  variables: Record<string, string> = { HOME: "/home/me" };
  /** Names asked of the environment. */
  readonly asked: string[] = [];
  readonly #listeners = new Set<(signal: string) => void>();

  readonly stdout = (text: string): void => void (this.out += text);
  readonly stderr = (text: string): void => void (this.err += text);
  readonly uid = (): number => this.userId;
  readonly stdin = (): string => this.input;
  readonly ask = (question: string): string => {
    this.err += question;
    return this.answer;
  };
  readonly readSecret = (prompt: string): string => {
    this.err += prompt;
    return this.secret;
  };

  readonly env = (names: readonly string[]): ReadonlyMap<string, string> => {
    this.asked.push(...names);
    return new Map(Object.entries(this.variables).filter(([name]) => names.includes(name)));
  };

  readonly onInterrupt = (listener: (signal: string) => void): () => void => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  /** How many wait for a signal. */
  get listening(): number {
    return this.#listeners.size;
  }

  /** Sends a signal. */
  interrupt(signal: string): void {
    for (const listener of this.#listeners) listener(signal);
  }
}
