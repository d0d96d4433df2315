/**
 * Which processes keep a mount or a directory busy.
 *
 * A mount cannot be unmounted while a process has its working directory, its root, its program or an
 * open file there; and a dataset that is unmounted here stays busy while a copy of the mount lives
 * in another mount namespace, of which a container's runtime makes one. Deno cannot read /proc:
 * `find` does.
 *
 * @module
 */

import { run } from "../process.ts";
import { isMountPoint } from "./mount_point.ts";

/** A process that keeps something busy. */
export interface Holder {
  readonly pid: number;
  /** Name of its program, as `ps` shows it (proc(5), /proc/PID/comm: at most 15 bytes). */
  readonly name: string;
}

/**
 * The processes that use `place` or something in it, by their ids. Of other users' processes only
 * root sees them all. None found does not mean that there is none: the kernel itself (a loop device,
 * an NFS export) can keep a mount, too.
 *
 * @param place absolute, without symlinks
 * @param source what was mounted there, as in the mount table, such as the name of a dataset: where
 * it is unmounted here, processes in whose mount namespaces it is still mounted are found
 */
export async function holdersOf(place: string, source?: string): Promise<Holder[]> {
  const found = await usersByPath(place);
  if (isMountPoint(place)) found.push(...await usersByDevice(Deno.lstatSync(place).dev));
  else if (source !== undefined) found.push(...await elsewhere(source));
  return await named([...new Set(found)].sort((a, b) => a - b));
}

/** `sleep (812), bash (77)`, for people to read; null for none. */
export function describeHolders(holders: readonly Holder[]): string | null {
  if (holders.length === 0) return null;
  return holders.map(({ pid, name }) => `${name} (${pid})`).join(", ");
}

/** Runs `find`; its status is of no interest, as processes come and go while it looks. */
async function find(...args: string[]): Promise<string[]> {
  const { stdout } = await run("find", args);
  return stdout.split("\n").filter((line) => line !== "");
}

function pidOf(path: string): number {
  return Number(path.split("/")[2]);
}

/** What find looks at below /proc: processes only, and not their threads. */
const PROCESSES = ["-mindepth", "1", "-maxdepth", "3", "-path", "/proc/[!0-9]*", "-prune"];

/** Links of a process that keep what they lead to. */
const LINKS = ["-path", "/proc/[0-9]*/cwd", "-o", "-path", "/proc/[0-9]*/root"]
  .concat(["-o", "-path", "/proc/[0-9]*/exe"]);

/** Processes with a link, or a mapped file, that leads to `place` or into it. */
async function usersByPath(place: string): Promise<number[]> {
  const files = ["-o", "-path", "/proc/*/fd/*", "-o", "-path", "/proc/*/map_files/*"];
  const links = ["(", ...LINKS, ...files, ")"];
  const exact = place.replaceAll(/[\\*?[\]]/g, "\\$&");
  const inside = ["(", "-lname", exact, "-o", "-lname", `${exact}/*`, ")"];
  const lines = await find("/proc", ...PROCESSES, "-o", ...links, ...inside, "-print");
  return lines.map(pidOf);
}

/**
 * Processes with a link to something on the device: of one in another mount namespace, the text of a
 * link is a path there, but -L follows it to where it leads. The links to directories are not
 * descended into.
 */
async function usersByDevice(device: number): Promise<number[]> {
  const print = ["-printf", "%D %p\\n"];
  const links = ["(", ...LINKS, ")", ...print, "-prune"];
  const files = ["-path", "/proc/[0-9]*/fd/*", ...print];
  const skipped = ["(", "-path", "/proc/*/task", "-o", "-path", "/proc/*/map_files", ")", "-prune"];
  const below = [...PROCESSES, "-o", ...skipped, "-o", ...links, "-o", ...files];
  const lines = await find("-L", "/proc", ...below);
  return lines.map((line) => line.split(" ")).filter(([number]) => Number(number) === device)
    .map(([, path]) => pidOf(path ?? ""));
}

/** Processes in other mount namespaces than ours in which `source` is mounted. */
async function elsewhere(source: string): Promise<number[]> {
  // A mount table writes a space as \040 (proc_pid_mountinfo(5)).
  const field = ` ${source.replaceAll(" ", "\\040")} `;
  const grep = ["-exec", "grep", "-lsF", "-e", field, "{}", "+"];
  const tables = await find("/proc", ...PROCESSES, "-o", "-path", "/proc/*/mountinfo", ...grep);
  const links = ["-path", "/proc/*/ns/mnt", "-printf", "%p %l\\n"];
  const lines = await find("/proc", ...PROCESSES, "-o", ...links);
  const namespaces = new Map(
    lines.map((line) => line.split(" ")).map(([path, namespace]) => {
      return [pidOf(path ?? ""), namespace];
    }),
  );
  // /proc/PID/task/TID/mountinfo is deeper than find goes.
  return tables.map(pidOf).filter((pid) => {
    const namespace = namespaces.get(pid);
    return namespace !== undefined && namespace !== namespaces.get(Deno.pid);
  });
}

/** The names of those processes that are still there. */
async function named(pids: readonly number[]): Promise<Holder[]> {
  if (pids.length === 0) return [];
  const names = pids.map((pid) => `/proc/${pid}/comm`);
  const lines = await find(...names, "-exec", "grep", "-Hs", "", "{}", "+");
  return lines.map((line) => ({ pid: pidOf(line), name: line.slice(line.indexOf(":") + 1) }));
}
