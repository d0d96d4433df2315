/**
 * Which of the known words somebody meant.
 *
 * @module
 */

import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** Letters of a word of that length that may be wrong. */
function mostMistakes(length: number): number {
  if (length < 6) return 1;
  return length < 10 ? 2 : 3;
}

/**
 * The known word that `word` is most like, of several one that begins as it does; null where it is
 * like none, as to name any would mislead.
 */
export function nearestOf(word: string, known: readonly string[]): string | null {
  const most = mostMistakes(word.length);
  // The first letter is the last one to be mistaken.
  const near = known
    .map((name) => ({ name, mistakes: distance(word, name) + (name[0] === word[0] ? 0 : 0.5) }))
    .filter(({ mistakes }) => Math.floor(mistakes) <= most)
    .sort((one, other) => one.mistakes - other.mistakes);
  return near[0]?.name ?? null;
}

/** `; did you mean …?` with that word, or nothing. @param show writes the word as it is to be typed */
export function suggestion(nearest: string | null, show = (word: string): string => word): string {
  return nearest === null ? "" : `; did you mean ${show(nearest)}?`;
}

/** Letters in another order are one mistake. */
function distance(word: string, name: string): number {
  const sorted = (text: string) => [...text].sort().join("");
  return word !== name && sorted(word) === sorted(name) ? 1 : levenshteinDistance(word, name);
}
