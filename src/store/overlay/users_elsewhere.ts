/**
 * Who uses a mount that is ours no more.
 *
 * @module
 */

import { run } from "../../process.ts";
import { type Holder, holdersOf } from "../holders.ts";

/**
 * Processes, in other mount namespaces, that have their root, their working directory, their program
 * or an open file in a filesystem that has been unmounted in this one: those of a running container,
 * say. Namespaces that only hold a copy of the mount, which any `unshare --mount` makes, do not
 * count.
 *
 * @param place where it was mounted; absolute, without symlinks
 * @param source what it is called in the tables of mounts, and nothing else is
 */
export async function usersElsewhere(place: string, source: string): Promise<Holder[]> {
  const devices = await devicesBySource(source);
  if (devices.size === 0) return [];
  const pids = await usersOf(devices);
  if (pids.size === 0) return [];
  return (await holdersOf(place, source)).filter(({ pid }) => pids.has(pid));
}

/** The device numbers of `source`, by the processes that have it in their table of mounts. */
async function devicesBySource(source: string): Promise<Map<number, number>> {
  const others = ["-path", "/proc/[!0-9]*", "-prune"];
  const grep = ["-exec", "grep", "-HsF", "-e", ` ${source} `, "{}", "+"];
  const depth = ["-mindepth", "1", "-maxdepth", "2"];
  const tables = ["/proc", ...depth, ...others, "-o", "-path", "/proc/*/mountinfo", ...grep];
  const devices = new Map<number, number>();
  for (const line of await find(tables)) {
    // proc_pid_mountinfo(5): "/proc/812/mountinfo:36 35 0:57 / /mnt …".
    const [, pid, major, minor] = /^\/proc\/(\d+)\/mountinfo:\d+ \d+ (\d+):(\d+) /.exec(line) ?? [];
    devices.set(Number(pid), deviceNumber(Number(major), Number(minor)));
  }
  return devices;
}

/** st_dev as the kernel gives it to programs (new_encode_dev). */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) + major * 0x100 + (minor >> 8) * 0x100000;
}

/** Those of the processes that use their device. */
async function usersOf(devices: ReadonlyMap<number, number>): Promise<Set<number>> {
  const links = [...devices.keys()].flatMap((pid) =>
    ["cwd", "root", "exe", "fd"].map((name) => `/proc/${pid}/${name}`)
  );
  // Links are followed; only the directory "fd" is looked into, and nothing that a link leads to.
  const inside = ["(", "-path", "/proc/*/fd", "-o", "-printf", "%D %p\\n", "-prune", ")"];
  const lines = await find(["-L", ...links, "-maxdepth", "1", ...inside]);
  const users = new Set<number>();
  for (const line of lines) {
    const [, device, pid] = /^(\d+) \/proc\/(\d+)\//.exec(line) ?? [];
    if (devices.get(Number(pid)) === Number(device)) users.add(Number(pid));
  }
  return users;
}

/** Runs `find`; its status is of no interest, as processes come and go while it looks. */
async function find(args: readonly string[]): Promise<string[]> {
  const { stdout } = await run("find", args);
  return stdout.split("\n").filter((line) => line !== "");
}
