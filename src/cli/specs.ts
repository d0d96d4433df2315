/**
 * The one table of the command line: every option and every command of layerfs.
 *
 * A new command is an entry here, a file in commands/ and a line in commands.ts; its parsing, its
 * help and its completions follow.
 *
 * @module
 */

import { commit, diff, rebase } from "./change_specs.ts";
import { choice, command, type CommandSpec, flag, list, text } from "./spec.ts";

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS = {
  store: text("DIR", "where images, layers and containers are kept", {
    env: "LAYERFS_STORE",
    completes: "directory",
  }),
  driver: choice(["auto", "zfs", "overlay", "directory"], "how they are kept", {
    env: "LAYERFS_DRIVER",
  }),
  dataset: text("POOL/PATH", "the ZFS dataset that holds the store", { env: "LAYERFS_DATASET" }),
  json: flag("print one JSON document on standard output, errors included"),
  quiet: flag("print no progress and no warnings, and of lists only the names", { short: "q" }),
  "no-progress": flag("print no progress; it is shown on terminals only"),
  "log-level": choice(["error", "warn", "info", "debug"], "what to tell on standard error"),
  "digest-engine": choice(["wasm", "native"], "what computes the digests"),
  help: flag("explain a command, or list them all", { short: "h" }),
  version: flag("print the version"),
};

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
  platform: text("OS/ARCH[/VARIANT]", "platform to choose, where the image has several"),
  rootfs: text("DIR|TAR", "take the root filesystem from a directory or a tar file, not an image", {
    completes: "file",
  }),
  fallback: text("DIR|TAR", "root filesystem to take only where the image is not to be had", {
    completes: "file",
  }),
  ...OVERRIDE_OPTIONS,
};

const CREATE_OPERANDS = {
  usage: ["IMAGE [CMD [ARG...]]", "--rootfs DIR|TAR [CMD [ARG...]]"],
  min: 0,
  max: Infinity,
  completes: "image",
  endOptions: true,
} as const;

const IMAGE_HELP = `IMAGE is oci:DIR[:TAG|@DIGEST], oci-archive:FILE[:TAG], \
docker-archive:FILE[:REPO:TAG], or the name of an image of the store. An image that stands alone in \
its directory or archive needs no tag.`;

const create = command({
  summary: "Make a container from an image",
  help: `Verifies the image, puts its layers on disk and leaves an OCI runtime bundle (config.json \
and rootfs) that runc or crun starts. Prints the bundle's path.

${IMAGE_HELP} CMD takes the place of the image's own command. Options end at IMAGE.

A --fallback is used where the image is not found, never where it fails verification; the JSON \
result says so.`,
  operands: CREATE_OPERANDS,
  options: CREATE_OPTIONS,
  cleansUp: true,
  examples: [
    "create --name web oci:images/nginx:stable",
    "create --env LANG=C.UTF-8 --volume ./data:/data:ro oci-archive:app.tar /bin/app --verbose",
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
  help: "Removes containers with their bundles and prints their names. Layers stay in the store.",
  operands: { usage: ["ID..."], min: 1, max: Infinity, completes: "container" },
  options: {
    force: flag("end the processes of a container that runs", {
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

const images = command({
  summary: "List the images of the store",
  help: "Lists the images that pull and squash have put into the store. With --quiet: names only.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {},
});

const layers = command({
  summary: "List the layers of the store",
  help: "Lists the layers with their own sizes, and who needs them: images by name, containers by \
id. With --quiet: their ChainIDs only.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {},
});

const mount = command({
  summary: "Mount a container, an image or a layer",
  help: `Mounts a container's root filesystem again, after a reboot, say; or the tree of an image, \
or of a layer on those below it, read-only. Prints the path. What is mounted already stays so.

${IMAGE_HELP} LAYER is a ChainID, as layers prints it.`,
  operands: { usage: ["ID|IMAGE|LAYER"], min: 1, max: 1, completes: "container" },
  options: { platform: CREATE_OPTIONS.platform },
  cleansUp: true,
  examples: ["mount web", "mount oci:images/debian:12"],
});

const unmount = command({
  summary: "Unmount a container, an image or a layer",
  help: "Ends what mount, or the making of a container, has begun. Nothing is lost. An image whose \
source is gone is unmounted by its top LAYER: a ChainID, as layers prints it.",
  operands: { usage: ["ID|IMAGE|LAYER"], min: 1, max: 1, completes: "container" },
  options: { platform: CREATE_OPTIONS.platform },
  cleansUp: true,
  examples: ["unmount web", "unmount oci:images/debian:12"],
});

const pull = command({
  summary: "Copy an image into the store",
  help: `Copies manifest, configuration and layers as they are, each verified, and gives the image \
a name in the store, by which the other commands take it. Prints its digest.

${IMAGE_HELP}`,
  operands: { usage: ["IMAGE"], min: 1, max: 1, completes: "image" },
  options: {
    as: text("NAME[:TAG]", "name in the store; the image's own tag where absent"),
    platform: CREATE_OPTIONS.platform,
  },
  cleansUp: true,
  examples: ["pull oci:images/debian:12 --as debian:12", "pull docker-archive:app.tar"],
});

const rmi = command({
  summary: "Remove images from the store",
  help: "Takes the names away and prints them. Layers and blobs stay until gc. The last \
name of an image that containers were made of is kept, unless --force is given; the containers \
stay whole in any case. IMAGE is NAME[:TAG], or the digest of a manifest or index.",
  operands: { usage: ["IMAGE..."], min: 1, max: Infinity, completes: "stored" },
  options: { force: flag("also where containers were made of it", { short: "f" }) },
  cleansUp: true,
  examples: ["rmi debian:12"],
});

const squash = command({
  summary: "Make an image of one layer from one of many",
  help: `Merges all layers of an image into one, and puts the result into the store under a new \
name. Prints its digest. The environment variable SOURCE_DATE_EPOCH (seconds) is its date.

${IMAGE_HELP}`,
  operands: { usage: ["IMAGE NAME[:TAG]"], min: 2, max: 2, completes: "image" },
  options: { platform: CREATE_OPTIONS.platform },
  cleansUp: true,
  examples: ["squash oci:images/app:1.2 app:1.2-flat"],
});

const gc = command({
  summary: "Remove what nothing needs",
  help: "Removes layers and blobs that neither an image nor a container needs, and what killed \
processes have left. Waits until nobody else works in the store. Prints what was removed.",
  operands: { usage: [""], min: 0, max: 0 },
  options: { "dry-run": flag("remove nothing, only print what would be", { short: "n" }) },
  cleansUp: true,
  examples: ["gc --dry-run", "gc"],
});

const fsck = command({
  summary: "Check that the store is as it should be",
  help: "Compares names, records, datasets and mounts, and prints one row a problem. Waits until \
nobody else works in the store. The exit status is 7 where a problem stays.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {
    deep: flag("read all layers and blobs, and compare them with their digests"),
    repair: flag("mend what can be mended without losing anything"),
  },
  cleansUp: true,
  examples: ["fsck", "fsck --deep --repair"],
});

const df = command({
  summary: "Show what the store takes",
  help: "Shows how much space images, layers and containers take, and how much gc would free.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {},
});

const inspect = command({
  summary: "Show everything known of an image, a container or a layer",
  help: `Prints JSON. A reference with a transport (oci:, oci-archive:, docker-archive:) is an \
image, a digest the ChainID of a layer; anything else names a container, else an image of the store.`,
  operands: { usage: ["ID|IMAGE|LAYER"], min: 1, max: 1, completes: "container" },
  options: { platform: CREATE_OPTIONS.platform },
  examples: ["inspect web", "inspect --platform linux/arm64 oci:images/app:1.2"],
});

const validate = command({
  summary: "Check an image against the specifications",
  help: `Checks every point of the OCI image specification, reads every byte of the image, and \
prints one row a point: pass, warn (a SHOULD is not kept), fail (a MUST is broken) or skip (the \
image has nothing that the point is about). The exit status is 3 where a point fails. With --quiet: \
warnings and failures only.`,
  operands: { usage: ["IMAGE"], min: 1, max: 1, completes: "image" },
  options: {},
  examples: ["validate oci:images/app:1.2", "validate --json oci-archive:app.tar"],
});

const info = command({
  summary: "Show what this store and this machine offer",
  help: "Shows the store, its driver and why it was chosen, and the programs that were found. What \
this user may not read is left open.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {},
});

const completions = command({
  summary: "Print the completions of a shell",
  help: "Prints a script that makes a shell complete the commands and options of layerfs.",
  operands: { usage: ["bash|zsh|fish"], min: 1, max: 1, choices: ["bash", "zsh", "fish"] },
  options: {},
  examples: [
    "completions bash > /etc/bash_completion.d/layerfs",
    "completions zsh > /usr/local/share/zsh/site-functions/_layerfs",
    "completions fish > ~/.config/fish/completions/layerfs.fish",
  ],
});

/** Every command, in the order in which help lists them. */
export const SPECS = {
  create,
  run,
  rm,
  ps,
  mount,
  unmount,
  pull,
  images,
  rmi,
  diff,
  commit,
  rebase,
  squash,
  layers,
  inspect,
  validate,
  gc,
  fsck,
  df,
  info,
  completions,
};

/** The name of a command. */
export type CommandName = keyof typeof SPECS;

/** Every command's name, in the order of {@linkcode SPECS}. */
export const COMMAND_NAMES = Object.keys(SPECS) as readonly CommandName[];

/** The description of a command, with its options under their general type. */
export function specOf(name: CommandName): CommandSpec {
  return SPECS[name];
}
