/**
 * Collects what is found for each point, and makes rows of it.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { type Level, RULES } from "./points.ts";

/** Result of a point. "skip": there was nothing that the point is about. */
export type Outcome = "pass" | "warn" | "fail" | "skip";

/** One row of the result. */
export interface Point {
  /** 1 to 62. */
  readonly id: number;
  /** What the specification asks. */
  readonly rule: string;
  /** How binding it is. */
  readonly level: Level;
  /** What came of it. */
  readonly outcome: Outcome;
  /** Document and JSON path, or file, of the first finding; "" where all is well. */
  readonly where: string;
  /** The findings, what was looked at, or why there was nothing to look at. */
  readonly detail: string;
}

/** Findings that one row tells in full. */
const TOLD = 5;

interface Finding {
  readonly outcome: "warn" | "fail";
  readonly where: string;
  readonly detail: string;
}

/** Findings and counts of all points. */
export class Report {
  readonly #findings = new Map<number, Finding[]>();
  readonly #looked = new Map<number, Map<string, number>>();
  readonly #skips = new Map<number, string>();

  /** The rule is broken: a failure where it is a MUST, a warning where it is a SHOULD. */
  broken(id: number, where: string, detail: string): void {
    this.#add(id, { outcome: RULES[id - 1]?.level === "MUST" ? "fail" : "warn", where, detail });
  }

  /** The image cannot be used, however binding the rule is. */
  fail(id: number, where: string, detail: string): void {
    this.#add(id, { outcome: "fail", where, detail });
  }

  /** Something to know that breaks nothing binding. */
  warn(id: number, where: string, detail: string): void {
    this.#add(id, { outcome: "warn", where, detail });
  }

  /** Counts things that a point was checked on, such as "digests". */
  looked(id: number, what: string, count = 1): void {
    const counts = this.#looked.get(id) ?? new Map<string, number>();
    this.#looked.set(id, counts.set(what, (counts.get(what) ?? 0) + count));
  }

  /** Why nothing was looked at; counts and findings go before. */
  skip(ids: readonly number[], why: string): void {
    for (const id of ids) this.#skips.set(id, why);
  }

  /** Findings of all points so far: tells whether something in between found any. */
  get failures(): number {
    return [...this.#findings.values()].flat().filter(({ outcome }) => outcome === "fail").length;
  }

  /** The rows, one for each point. */
  points(): Point[] {
    return RULES.map(({ id, rule, level }) => ({ id, rule, level, ...this.#result(id) }));
  }

  #add(id: number, finding: Finding): void {
    const findings = this.#findings.get(id) ?? [];
    findings.push(finding);
    this.#findings.set(id, findings);
  }

  #result(id: number): Pick<Point, "outcome" | "where" | "detail"> {
    const findings = this.#findings.get(id) ?? [];
    // Failures first, so that the first finding is one that decides.
    const sorted = [
      ...findings.filter(({ outcome }) => outcome === "fail"),
      ...findings.filter(({ outcome }) => outcome === "warn"),
    ];
    const [first] = sorted;
    if (first !== undefined) {
      const told = sorted.slice(0, TOLD).map(({ where, detail }, i) =>
        i === 0 || where === "" ? detail : `${where}: ${detail}`
      );
      const more = sorted.length > TOLD ? [`and ${sorted.length - TOLD} more`] : [];
      return {
        outcome: first.outcome,
        where: first.where,
        detail: [...told, ...more].join("; "),
      };
    }
    const counts = [...this.#looked.get(id) ?? []].map(([what, count]) => `${what}: ${count}`);
    if (counts.length > 0) return { outcome: "pass", where: "", detail: counts.join(", ") };
    return {
      outcome: "skip",
      where: "",
      detail: this.#skips.get(id) ?? "nothing in the image to look at",
    };
  }
}

/** What a caught error says, without the failed action in front; bugs are thrown on. */
export function stateOf(error: unknown): string {
  if (!(error instanceof LayerfsError)) throw error;
  return error.message.replace(/^Cannot [^:]*: /, "");
}
