/**
 * Compares trees of a driver with plain directories.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { differences, readTree, type Tree } from "../platform/compare.ts";

/** Runs a script of bash in a directory; names in its output are bytes, one a character. */
export async function bash(cwd: string, script: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-o", "pipefail", "-ec", script],
    cwd,
    env: { LC_ALL: "C" },
    stdin: "null",
  }).output();
  if (!success) throw new Error(`${script}: ${new TextDecoder().decode(stderr)}`);
  return Buffer.from(stdout).toString("latin1");
}

/** How many digits of a fraction of a second the filesystem of a directory keeps: 0 to 9. */
export async function timeDigits(directory: string): Promise<number> {
  const script = `touch -d @1.123456789 .time && find .time -printf %T@ && rm .time`;
  const kept = (await bash(directory, script)).split(".")[1] ?? "";
  let digits = 0;
  while (digits < 9 && kept[digits] === "123456789"[digits]) digits++;
  return digits;
}

/** A time as `find` prints it, cut to so many digits of its fraction. */
function cut(time: string, digits: number): string {
  const [seconds = "", fraction = ""] = time.split(".");
  return `${seconds}.${fraction.slice(0, digits)}`;
}

/** What of two trees is compared. */
export interface Exactness {
  /** Digits of the fraction of a second. */
  readonly digits: number;
  /** Whether names of one file must be names of one file in the other tree. */
  readonly links: boolean;
}

async function readExactly(root: string, { digits }: Exactness): Promise<Tree> {
  const tree = await readTree(root);
  for (const entry of tree.values()) entry.mtime = cut(entry.mtime, digits);
  return tree;
}

/** One line for each difference in anything that a layer can say of a file. */
export async function treeDifferences(
  actual: string,
  expected: string,
  exactness: Exactness,
): Promise<string[]> {
  const [one, other] = await Promise.all(
    [actual, expected].map((root) => readExactly(root, exactness)),
  ) as [Tree, Tree];
  return differences(one, other, { ignore: exactness.links ? [] : ["links"] });
}

/** Type, mode, owner, size, time and target of every name: what one find(1) sees. */
async function glance(root: string, digits: number): Promise<string[]> {
  const script = String.raw`find . \( -type f -printf '%s ' -o -printf '- ' \) ` +
    String.raw`-printf '%y %m %U:%G %T@ %P -> %l\0'`;
  const rows = (await bash(root, script)).split("\0").filter((row) => row !== "");
  return rows.map((row) => {
    const fields = row.split(" ");
    return [...fields.slice(5), ...fields.slice(0, 4), cut(fields[4] ?? "", digits)].join(" ");
  }).sort();
}

/** Differences in what can be seen without reading content and extended attributes. */
export async function glanceDifferences(
  actual: string,
  expected: string,
  { digits }: Exactness,
): Promise<string[]> {
  const [one, other] = await Promise.all(
    [actual, expected].map((root) => glance(root, digits)),
  ) as [string[], string[]];
  const [inOne, inOther] = [new Set(one), new Set(other)];
  return [
    ...one.filter((row) => !inOther.has(row)).map((row) => `is: ${row}`),
    ...other.filter((row) => !inOne.has(row)).map((row) => `should be: ${row}`),
  ];
}
