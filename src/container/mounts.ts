/**
 * The mounts of a container: the kernel's filesystems, the image's volumes, the caller's volumes.
 *
 * @module
 */

import { resolve } from "@std/path/posix/resolve";
import { LayerfsError } from "../errors.ts";
import { lstatOrNull } from "../files.ts";
import { resolveInRoot } from "../layer/root_path.ts";
import type { RuntimeMount } from "../oci/runtime_spec.ts";
import { existence, existingVolume } from "./host_path.ts";
import { type IdMaps, isMapped } from "./id_map.ts";
import type { Overrides, Tmpfs, Volume } from "./overrides.ts";

/** A directory that the bundle needs for a volume of the image. */
export interface VolumeDirectory {
  /** Relative to the bundle, such as `volumes/0`; config.json mounts it from there. */
  readonly source: string;
  /** Absolute path in the container. */
  readonly destination: string;
  /**
   * Absolute path of the directory in the root filesystem whose content and attributes it starts
   * with, symlinks resolved inside the root; null where the image has no such directory.
   */
  readonly seed: string | null;
}

/** All mounts, what has to be made for them, and what people should know. */
export interface MountPlan {
  /** In the order in which they are to be made. */
  readonly mounts: readonly RuntimeMount[];
  /** To be made in the bundle. */
  readonly volumes: readonly VolumeDirectory[];
  /** For people to read. */
  readonly warnings: readonly string[];
}

/** What the mounts depend on. */
export interface MountRequest {
  /** Absolute path of the root filesystem as it is now. */
  readonly rootfs: string;
  /** `Config.Volumes` of the image. */
  readonly volumes: readonly string[];
  /** The caller's volumes, tmpfs and network. */
  readonly overrides: Overrides;
  /** The ids of a rootless container; null for one that root starts. */
  readonly rootless: IdMaps | null;
}

/** Mount points of the kernel's filesystems, which hide what the image has there. */
const KERNEL = ["proc", "sys", "dev"];

/** The group that owns terminals: "tty" in every distribution. */
const TTY_GID = 5;

const NO_PROGRAMS = ["nosuid", "noexec", "nodev"];

/**
 * Plans the mounts of a container, parents before what is below them. One place has one mount: the
 * caller's wins over the image's and the kernel's, the kernel's over the image's.
 *
 * @throws {LayerfsError} `image-invalid` where /dev, /proc or /sys of the image is no directory, or
 * a volume of the image is the root; `not-found` for a volume of the caller that does not exist
 */
export function planMounts(request: MountRequest): MountPlan {
  const { rootfs, overrides, rootless } = request;
  checkKernelMountPoints(rootfs);
  const mounts = new Map<string, RuntimeMount>();
  const put = (mount: RuntimeMount) => mounts.set(mount.destination, mount);
  kernelMounts(overrides.network === "host", rootless).forEach(put);
  if (overrides.network === "host") {
    ["/etc/resolv.conf", "/etc/hosts"].flatMap(hostFile).forEach(put);
  }

  const chosen = new Set([...overrides.volumes, ...overrides.tmpfs].map((m) => m.destination));
  const { volumes, warnings } = imageVolumes(rootfs, request.volumes, chosen);
  volumes.map(({ source, destination }) => bind(source, destination, "rw")).forEach(put);
  overrides.tmpfs.map(tmpfs).forEach(put);
  overrides.volumes.map(hostVolume).forEach(put);
  const depth = ({ destination }: RuntimeMount) => destination.split("/").length;
  return { mounts: [...mounts.values()].sort((a, b) => depth(a) - depth(b)), volumes, warnings };
}

/** As `runc spec` and `runc spec --rootless` have them. */
function kernelMounts(hostNetwork: boolean, rootless: IdMaps | null): RuntimeMount[] {
  // An id that is not mapped cannot be given to a file: EINVAL.
  const tty = rootless === null || isMapped(rootless.gid, TTY_GID) ? [`gid=${TTY_GID}`] : [];
  const shm = [...NO_PROGRAMS, "mode=1777", "size=65536k"];
  return [
    mount("/proc", "proc", "proc"),
    mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    mount("/dev/pts", "devpts", "devpts", [
      ...["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
      ...tty,
    ]),
    mount("/dev/shm", "tmpfs", "shm", shm),
    mount("/dev/mqueue", "mqueue", "mqueue", NO_PROGRAMS),
    // sysfs shows a network namespace: only its owner may mount it.
    hostNetwork && rootless !== null
      ? mount("/sys", "none", "/sys", ["rbind", ...NO_PROGRAMS, "ro"])
      : mount("/sys", "sysfs", "sysfs", [...NO_PROGRAMS, "ro"]),
    mount("/sys/fs/cgroup", "cgroup", "cgroup", [...NO_PROGRAMS, "relatime", "ro"]),
  ];
}

/**
 * Refuses an image whose /dev, /proc or /sys is a symlink or a file. Runtimes make devices and links
 * by those paths before they enter the container, and have followed them out (CVE-2026-41579).
 */
function checkKernelMountPoints(rootfs: string): void {
  for (const name of KERNEL) {
    const stat = lstatOrNull(`${rootfs}/${name}`);
    if (stat === null || stat.isDirectory) continue;
    const what = stat.isSymlink ? "a symbolic link" : "not a directory";
    throw new LayerfsError(
      "image-invalid",
      `Cannot make a bundle: "/${name}" of the root filesystem is ${what}, and a container mounts ` +
        "the kernel's filesystem there",
      { path: `/${name}` },
    );
  }
}

/** The directories for the volumes of the image that nothing else takes the place of. */
function imageVolumes(
  rootfs: string,
  paths: readonly string[],
  chosen: ReadonlySet<string>,
): { volumes: VolumeDirectory[]; warnings: string[] } {
  const volumes: VolumeDirectory[] = [];
  const warnings: string[] = [];
  // Like every path of an image, a volume's is taken relative to the root.
  const destinations = new Set(paths.map((path) => resolve("/", path)));
  for (const destination of destinations) {
    if (chosen.has(destination)) continue;
    const seed = resolveInRoot(rootfs, destination);
    const inside = seed.slice(rootfs.length).split("/").filter((name) => name !== "");
    if (inside.length === 0) {
      throw new LayerfsError(
        "image-invalid",
        `Cannot make a bundle: the image's volume "${destination}" is the root itself`,
      );
    }
    const stat = lstatOrNull(seed);
    if (KERNEL.includes(inside[0] ?? "")) {
      warnings.push(`The image's volume "${destination}" is left out: a mount is there already`);
    } else if (stat !== null && !stat.isDirectory) {
      warnings.push(`The image's volume "${destination}" is left out: it is not a directory`);
    } else {
      const source = `volumes/${volumes.length}`;
      volumes.push({ source, destination, seed: stat === null ? null : seed });
    }
  }
  return { volumes, warnings };
}

/** A volume of the caller. */
function hostVolume(volume: Volume): RuntimeMount {
  const { source, destination, readonly } = existingVolume(volume);
  return bind(source, destination, readonly ? "ro" : "rw");
}

function tmpfs({ destination, options }: Tmpfs): RuntimeMount {
  const mode = options.some((option) => option.startsWith("mode=")) ? [] : ["mode=1777"];
  return mount(destination, "tmpfs", "tmpfs", ["nosuid", "nodev", ...mode, ...options]);
}

/** A file of the host that its network is of no use without, where the host has it. */
function hostFile(path: string): RuntimeMount[] {
  return existence(path) === "missing" ? [] : [bind(path, path, "ro", NO_PROGRAMS)];
}

function bind(
  source: string,
  destination: string,
  access: "ro" | "rw",
  options: readonly string[] = [],
): RuntimeMount {
  return mount(destination, "bind", source, ["rbind", "rprivate", access, ...options]);
}

function mount(
  destination: string,
  type: string,
  source: string,
  options?: readonly string[],
): RuntimeMount {
  return options === undefined
    ? { destination, type, source }
    : { destination, type, source, options };
}
