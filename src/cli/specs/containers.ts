/**
 * The commands that make containers, and look after them.
 *
 * @module
 */

import { choice, command, flag, list, text } from "../spec.ts";
import { IMAGE_HELP, PLATFORM, PULL, REGISTRY_OPTIONS, STORED_IMAGE_HELP } from "./options.ts";

/** What a caller may change of the image's own settings. */
const OVERRIDE_OPTIONS = {
  entrypoint: text("PROGRAM|JSON", 'program that CMD is given to, or a JSON array; "" for none'),
  env: list("NAME[=VALUE]", "set a variable; without a value, take ours", { short: "e" }),
  "env-file": list("FILE", "set the variables of a file, a line each", { completes: "file" }),
  workdir: text("DIR", "directory that the process starts in", { short: "w" }),
  user: text("USER[:GROUP]", "user by name or number, as the root filesystem knows it", {
    short: "u",
  }),
  hostname: text("NAME", "host name inside the container"),
  label: list("NAME=VALUE", "add a label", { short: "l" }),
  annotation: list("NAME=VALUE", "add an annotation to config.json"),
  volume: list("SOURCE:PATH[:ro]", "show a file or directory of the host at PATH", {
    short: "v",
    completes: "directory",
  }),
  tmpfs: list("PATH[:OPTIONS]", "mount an empty filesystem in memory at PATH"),
  "read-only": flag("mount the root filesystem read-only"),
  tty: flag("give the process a terminal", { short: "t" }),
  memory: text("SIZE", "limit memory, as in 512m or 2g"),
  cpus: text("N", "limit processor time, as in 1.5"),
  "pids-limit": text("N", "limit the number of processes; -1 for no limit"),
  quota: text("SIZE", "limit what the root filesystem may take, where the driver can"),
  "cap-add": list("CAPABILITY", "add a capability, or ALL"),
  "cap-drop": list("CAPABILITY", "take a capability away, or ALL"),
  network: choice(["host", "none"], "the host's network, or one of its own without any link"),
};

const CREATE_OPTIONS = {
  name: text("ID", "the container's name; made up where absent"),
  bundle: text("DIR", "where the bundle goes; in the store where absent", {
    completes: "directory",
  }),
  platform: PLATFORM,
  rootfs: text("DIR|TAR", "take the root filesystem from a directory or a tar file, not an image", {
    completes: "file",
  }),
  fallback: text("DIR|TAR", "root filesystem to take only where the image is not to be had", {
    completes: "file",
  }),
  pull: PULL,
  "keep-blobs": flag("keep the blobs of an image from a registry in the store, as pull does"),
  ...REGISTRY_OPTIONS,
  ...OVERRIDE_OPTIONS,
};

const CREATE_OPERANDS = {
  usage: ["IMAGE [CMD [ARG...]]", "--rootfs DIR|TAR [CMD [ARG...]]"],
  min: 0,
  max: Infinity,
  completes: "image",
  endOptions: true,
} as const;

const create = command({
  summary: "Make a container from an image",
  help: `Verifies the image, puts its layers on disk and leaves an OCI runtime bundle (config.json \
and rootfs) that runc or crun starts. Prints the bundle's path.

${IMAGE_HELP} CMD takes the place of the image's own command. Options end at IMAGE.

A --fallback is used where the image is not found or its registry cannot be reached, never where it \
fails verification; the JSON result says so.`,
  operands: CREATE_OPERANDS,
  options: CREATE_OPTIONS,
  cleansUp: true,
  examples: [
    "create --name web oci:images/nginx:stable",
    "create --env LANG=C.UTF-8 --volume ./data:/data:ro oci-archive:app.tar /bin/app --verbose",
    "create --name db docker.io/library/postgres:17",
    "create --rootfs debian.tar.zst /bin/bash",
  ],
});

const run = command({
  summary: "Make a container and run it",
  help: `Does what create does and hands the bundle to an OCI runtime. The exit status is that of \
the container's process.

${IMAGE_HELP} Options end at IMAGE.`,
  operands: CREATE_OPERANDS,
  options: {
    rm: flag("remove the container when its process has ended"),
    runtime: choice(["runc", "crun"], "runtime to use; the first one found where absent"),
    ...CREATE_OPTIONS,
  },
  cleansUp: true,
  examples: ["run --rm oci:hello", "run --rm --tty oci:images/debian:12 /bin/bash"],
});

const rm = command({
  summary: "Remove containers",
  help:
    "Removes containers with their bundles and prints their names. Layers stay in the store. With \
ZFS, snapshots of a container go with it, whoever has made them; one that is held, or cloned, is an \
error, and so is a dataset below the container's.",
  operands: { usage: ["ID..."], min: 1, max: Infinity, completes: "container" },
  options: {
    force: flag("also one that runs, its processes ended, or whose record is damaged", {
      short: "f",
    }),
  },
  examples: ["rm web", "rm --force web db"],
});

const ps = command({
  summary: "List containers",
  help: "Lists the containers of the store with their own sizes. With --quiet: their names only.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {},
});

const mount = command({
  summary: "Mount a container, an image or a layer",
  help: `Mounts a container's root filesystem again, after a reboot, say; or the tree of an image, \
or of a layer on those below it, read-only. Prints the path. What is mounted already stays so.

${STORED_IMAGE_HELP} LAYER is a ChainID, as layers prints it.`,
  operands: { usage: ["ID|IMAGE|LAYER"], min: 1, max: 1, completes: "container" },
  options: { platform: PLATFORM, ...REGISTRY_OPTIONS },
  cleansUp: true,
  examples: ["mount web", "mount oci:images/debian:12"],
});

const unmount = command({
  summary: "Unmount a container, an image or a layer",
  help: "Ends what mount, or the making of a container, has begun. Nothing is lost. An image whose \
source is gone is unmounted by its top LAYER: a ChainID, as layers prints it.",
  operands: { usage: ["ID|IMAGE|LAYER"], min: 1, max: 1, completes: "container" },
  options: { platform: PLATFORM, ...REGISTRY_OPTIONS },
  cleansUp: true,
  examples: ["unmount web", "unmount oci:images/debian:12"],
});

/** These commands, in the order in which help lists them. */
export const CONTAINER_SPECS = { create, run, rm, ps, mount, unmount };
