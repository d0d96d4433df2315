/**
 * Mounting overlayfs, with hundreds of layers.
 *
 * @module
 */

import { type ErrorCode, LayerfsError } from "../../errors.ts";
import { run, type RunOptions, type RunResult } from "../../process.ts";
import { storageError } from "../../system_error.ts";
import { isMountPoint } from "../mount_point.ts";
import { removeTree } from "../remove_tree.ts";
import { listMounts } from "../mounts.ts";
import { isOurs, SOURCE } from "./mount_source.ts";

/**
 * Layers that the kernel stacks: OVL_MAX_STACK in fs/overlayfs. Linux 6.18 mounts 500 and refuses 501
 * with EINVAL (measured). Their names of one to three digits take 1,890 bytes of the options, which
 * mount(2) limits to a page of 4,096.
 */
export const MAX_STACK = 500;

/**
 * What keeps an upper directory fit to be a lower one later, on any machine, whatever the kernel was
 * built or told to do by default: no redirects, no files without their data, no index of inodes.
 * The newest come first: Linux knows them since 4.19, 4.17, 4.13 and 4.10.
 */
const PLAIN_FORMAT = ["metacopy=off", "xino=off", "index=off", "redirect_dir=off"] as const;

/** What is to be mounted. All paths are absolute. */
export interface OverlayMount {
  /** What it is called in the table of mounts (see mount_source.ts); "layerfs" where absent. */
  readonly source?: string;
  /** An existing directory. */
  readonly target: string;
  /** Existing directories, the top first; one at least, two without an upper (see checkStack). */
  readonly lowers: readonly string[];
  /** Where changes go; read-only where that is null. Both on one filesystem. */
  readonly upper: { readonly upper: string; readonly work: string } | null;
  /** A directory that is made and removed here, on any filesystem. */
  readonly links: string;
}

/** Runs mount(8), in whatever surroundings. */
export type MountProgram = (args: readonly string[], options: RunOptions) => Promise<RunResult>;

/**
 * Refuses what the kernel cannot stack.
 *
 * @param what the thing that has `count` layers, such as `layer sha256:…`
 * @throws {LayerfsError} `unsupported`
 */
export function checkStack(what: string, count: number): void {
  if (count <= MAX_STACK) return;
  throw new LayerfsError(
    "unsupported",
    `Cannot use ${what}: it has ${count} layers, and overlayfs stacks ${MAX_STACK} at most; squash ` +
      "the image (layerfs squash), or use --driver directory in another --store",
    { layers: count, limit: MAX_STACK },
  );
}

/**
 * Mounts an overlay, and makes sure that it is there.
 *
 * Layers are named by symlinks 0, 1, 2, … in the directory that mount(8) runs in: the kernel resolves
 * them while it mounts, never again. So hundreds fit into the options, and no path in the options
 * has a character that overlayfs or mount(8) would read as its own (measured: spaces, commas,
 * colons, backslashes).
 *
 * @throws {LayerfsError} `privilege-missing`, `unsupported` where the filesystem below cannot carry an
 * overlay, `storage-full`, `storage`
 */
export async function mountOverlay(mount: OverlayMount): Promise<void> {
  await mountOverlayBy(mount, (args, options) => run("mount", args, options));
  if (isMountPoint(mount.target)) return;
  const state = "mount ended well, but nothing is mounted";
  throw new LayerfsError("storage", `Cannot mount "${mount.target}": ${state}`);
}

/**
 * Mounts an overlay as {@linkcode mountOverlay} does, by `program`, which may do so where this process
 * cannot see it.
 *
 * @returns what the program has left
 */
export async function mountOverlayBy(
  mount: OverlayMount,
  program: MountProgram,
): Promise<RunResult> {
  const { target, upper, links } = mount;
  const options = [`lowerdir=${mount.lowers.map((_, index) => index).join(":")}`];
  if (upper === null) options.push("ro");
  else options.push("upperdir=u", "workdir=w");
  try {
    await removeTree(links);
    Deno.mkdirSync(links, { mode: 0o700 });
    mount.lowers.forEach((lower, index) => Deno.symlinkSync(lower, `${links}/${index}`));
    if (upper !== null) {
      Deno.symlinkSync(upper.upper, `${links}/u`);
      Deno.symlinkSync(upper.work, `${links}/w`);
    }
  } catch (error) {
    throw storageError(error, `Cannot mount "${target}"`);
  }
  try {
    const result = await mountWithin(mount, options, program);
    if (result.code !== 0) throw await mountError(mount, result);
    return result;
  } finally {
    await removeTree(links);
  }
}

/** Runs mount(8), without the options that an old kernel does not know. */
async function mountWithin(
  { source, target, links }: OverlayMount,
  options: readonly string[],
  program: MountProgram,
): Promise<RunResult> {
  let first: RunResult | undefined;
  for (let unknown = 0; unknown <= PLAIN_FORMAT.length; unknown++) {
    const all = [...options, ...PLAIN_FORMAT.slice(unknown)].join(",");
    const plain = ["--internal-only", "--types", "overlay", "--options", all];
    const args = [...plain, "--", source ?? SOURCE, target];
    // From util-linux 2.39 on, mount hands options over one by one, in at most 256 bytes each.
    const env = { LIBMOUNT_FORCE_MOUNT2: "always" };
    const result = await program(args, { cwd: links, env });
    if (result.code === 0) return result;
    first ??= result;
    if (!isRefusal(result.stderr)) break;
  }
  // The reason is that of all options: those without some have failed for it too.
  return first!;
}

/** EINVAL in the words of mount(8): of an option, a filesystem, anything. */
function isRefusal(stderr: string): boolean {
  return /wrong fs type, bad option|Unknown parameter|Invalid argument/i.test(stderr);
}

/** Words of mount(8), and what they mean. */
const MEANINGS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /must be superuser|permission denied|not permitted|only root/i,
    "privilege-missing",
    "run as root, outside of containers that may not mount, or use --driver directory",
  ],
  [
    /unknown filesystem type/i,
    "unsupported",
    "this kernel has no overlayfs (modprobe overlay); or use --driver directory",
  ],
  [/no space left/i, "storage-full", "free some, or use another --store"],
];

/** The error, whose `reason` is what its message says of the state. */
async function mountError(mount: OverlayMount, result: RunResult): Promise<LayerfsError> {
  const { target, lowers, upper } = mount;
  // "mount: TARGET: words.\n       dmesg(1) may have more information after failed mount system call."
  const program = /^(\w+): /.exec(result.stderr)?.[1] ?? "mount";
  const said = result.stderr.replace(/\s*dmesg\(1\) may have[^\n]*/, "").trim()
    .replace(/^mount: /, "").replace(`${target}: `, "").replace(/\.$/, "");
  const fail = (code: ErrorCode, more: string) => {
    const reason = `${program} said "${said}"${more}`;
    const data = { program, status: result.code, stderr: said, reason };
    return new LayerfsError(code, `Cannot mount "${target}" as overlay: ${reason}`, data);
  };
  for (const [words, code, advice] of MEANINGS) {
    if (words.test(said)) return fail(code, `; ${advice}`);
  }
  if (!isRefusal(result.stderr)) return fail("storage", "");
  const type = await filesystemType(upper?.upper ?? lowers[0]!);
  const filesystem = type === null ? "a filesystem" : `a filesystem of type "${type}"`;
  const state = upper === null
    ? `its layers are on ${filesystem}, which may carry no overlay; use another --store`
    : `its changes would be on ${filesystem}, which may not take them; use another --store or --bundle`;
  return fail("unsupported", `; ${state}, or --driver directory ("dmesg | tail" may say more)`);
}

/** The type of the filesystem that `path` is on, such as "ext4"; null where it cannot be told. */
async function filesystemType(path: string): Promise<string | null> {
  const args = ["--json", "--target", path, "--output", "FSTYPE"];
  const { code, stdout } = await run("findmnt", args);
  if (code !== 0) return null;
  const { filesystems } = JSON.parse(stdout) as { filesystems: { fstype: string }[] };
  return filesystems[0]?.fstype ?? null;
}

/** The overlays of ours below `directory`, by their names in it, in the order of their mounting. */
export async function overlaysBelow(directory: string): Promise<string[]> {
  const real = Deno.realPathSync(directory); // as the kernel's table has it
  return (await listMounts())
    .filter((mount) => isOurs(mount) && mount.target.startsWith(`${real}/`))
    .map(({ target }) => target.slice(real.length + 1));
}
