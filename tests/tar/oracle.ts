/**
 * Archives as GNU tar and bsdtar (libarchive) see them: the oracles of the tests of src/tar.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

const decoder = new TextDecoder();

/** What a child printed. */
export interface Output {
  stdout: string;
  stderr: string;
  /** The bytes of stdout, for what is not UTF-8. */
  bytes: Uint8Array;
}

/** Runs a program with `input` as its stdin; it must succeed. */
export async function run(
  program: string,
  args: string[],
  input: Uint8Array = new Uint8Array(0),
): Promise<Output> {
  const command = new Deno.Command(program, {
    args,
    env: { LC_ALL: "C.UTF-8", TZ: "UTC" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const fed = new Blob([input as Uint8Array<ArrayBuffer>]).stream().pipeTo(child.stdin);
  // A program that has seen enough closes its end: that is no failure of ours.
  const [output] = await Promise.all([child.output(), fed.catch(() => undefined)]);
  const stderr = decoder.decode(output.stderr);
  assertEquals(output.code, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return { stdout: decoder.decode(output.stdout), stderr, bytes: output.stdout };
}

/** `tar -tv` by GNU tar: a line an entry, with times to the nanosecond and numeric owners. */
export async function gnuList(archive: Uint8Array, ...more: string[]): Promise<string[]> {
  const args = ["-tv", "--full-time", "--numeric-owner", "--quoting-style=escape", ...more, "-f"];
  const { stdout, stderr } = await run("tar", [...args, "-"], archive);
  assertEquals(stderr, "");
  return stdout.trimEnd().split("\n");
}

/** The archive as bsdtar's mtree manifest: one line an entry, everything it knows. */
export async function mtree(archive: Uint8Array): Promise<string[]> {
  const args = ["-cf", "-", "--format=mtree", "--options=mtree:!all,mtree:type,mtree:mode"];
  args[3] += ",mtree:uid,mtree:gid,mtree:size,mtree:time,mtree:link,mtree:device,mtree:uname";
  const { stdout, stderr } = await run("bsdtar", [...args, "@-"], archive);
  assertEquals(stderr, "");
  return stdout.trimEnd().split("\n").slice(1);
}
