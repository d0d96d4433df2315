/**
 * What the benchmarks print and write: lines, Markdown tables, where and with what was measured.
 *
 * @module
 */

import { must } from "../tests/platform/harness.ts";

/** Tells the person who runs this. */
export function report(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** A Markdown table; all columns but the first hold numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|---|${"--:|".repeat(head.length - 1)}`, ...rows.map(line)].join("\n");
}

/** A positive number of the command line: the value of an option, or what is usual. */
export function count(option: string, text: unknown, usual: number): number {
  const value = Number(text ?? usual);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new RangeError(`--${option} takes a positive number: found "${text}"`);
}

/** Commands that tell of the machine. */
const FACTS: Readonly<Record<string, string>> = {
  "Date": "date -u +%F",
  "Processor": "grep -m 1 'model name' /proc/cpuinfo | cut -d : -f 2; echo ', cores:'; nproc",
  "SHA instructions": "grep -qw sha_ni /proc/cpuinfo && echo yes || echo no",
  "Memory": "grep MemTotal /proc/meminfo | awk '{printf \"%.0f GiB\", $2 / 1048576}'",
  "Load of the minute before": "cut -d ' ' -f 1 /proc/loadavg",
  "Kernel": "uname -sr",
  "System": ". /etc/os-release; echo $PRETTY_NAME",
  "layerfs": "git rev-parse --short HEAD 2>/dev/null || echo unknown",
};

/** Versions of the programs that take part in bench/peers.ts. */
export const PEER_FACTS: typeof FACTS = {
  "umoci": "umoci --version",
  "buildah": "buildah --version",
  "tar": "tar --version | head -n 1",
  "gzip": "gzip --version | head -n 1",
  "zfs-fuse": "dpkg-query -W -f '${Version}' zfs-fuse 2>/dev/null || echo not installed",
};

/** Where and with what was measured, as a Markdown list. Taken at once, before the measuring. */
export async function circumstances(programs: typeof FACTS = {}): Promise<string> {
  const lines = [`- Deno: ${Deno.version.deno}`];
  for (const [name, command] of Object.entries({ ...FACTS, ...programs })) {
    const text = await must(["bash", "-c", command]);
    lines.push(`- ${name}: ${text.trim().replace(/\s+/g, " ")}`);
  }
  return lines.join("\n");
}

/** Writes a file beside this one, as `deno fmt` has it. */
export async function writeMarkdown(name: string, parts: readonly string[]): Promise<void> {
  const path = new URL(name, import.meta.url).pathname;
  await Deno.writeTextFile(path, parts.join("\n\n") + "\n");
  await must([Deno.execPath(), "fmt", "--quiet", path]);
}

/**
 * Puts text into docs/performance.md, between the comments that name its place:
 * `<!-- place -->` and `<!-- /place -->`.
 */
export async function fillPerformance(place: string, text: string): Promise<void> {
  const path = new URL("../docs/performance.md", import.meta.url).pathname;
  const old = await Deno.readTextFile(path);
  const [begin, end] = [`<!-- ${place} -->`, `<!-- /${place} -->`];
  const [from, to] = [old.indexOf(begin), old.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`Cannot fill ${path}: it has no "${begin}"`);
  await Deno.writeTextFile(
    path,
    `${old.slice(0, from + begin.length)}\n\n${text}\n\n${old.slice(to)}`,
  );
  await must([Deno.execPath(), "fmt", "--quiet", path]);
}
