/**
 * The commands for what containers have changed, as entries of the table in ../specs.ts.
 *
 * @module
 */

import { command, flag, list, text } from "../spec.ts";
import { IMAGE_HELP, REGISTRY_OPTIONS } from "./options.ts";

const diff = command({
  summary: "List what a container has changed",
  help: "Prints a line for each name that is other than in the image: A is added, M modified, D \
deleted, with all below it. A container may run meanwhile.",
  operands: { usage: ["ID"], min: 1, max: 1, completes: "container" },
  options: REGISTRY_OPTIONS,
  cleansUp: true,
  examples: ["diff web", "diff web --json"],
});

const commit = command({
  summary: "Make an image of a container",
  help: `Makes a layer of what the container has changed, and an image of that on top of its own, \
which goes into the store as NAME. Prints the digest. Sockets are left out. A container that runs \
should be stopped or paused first: files that are written to meanwhile are an error.

The environment variable SOURCE_DATE_EPOCH (seconds) is the date of the image, and the latest that a \
file in the new layer can have.`,
  operands: { usage: ["ID NAME[:TAG]"], min: 2, max: 2, completes: "container" },
  options: {
    author: text("TEXT", "who has made the image", { short: "a" }),
    message: text("TEXT", "comment for the image's history", { short: "m" }),
    change: list(
      "INSTRUCTION",
      "CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR, as in a Dockerfile",
      { short: "c" },
    ),
    ...REGISTRY_OPTIONS,
  },
  cleansUp: true,
  examples: ["commit web web:2", `commit web web:2 --change 'CMD ["nginx"]' --message "with TLS"`],
});

const rebase = command({
  summary: "Move a container's changes to another image",
  help:
    `Makes what the container has changed to the tree of IMAGE, a newer release of its own, say, \
and puts that in the place of the container's, with its id, bundle, volumes and quota. Its \
configuration follows IMAGE, but for what create was told. Nobody may use the container meanwhile.

Where both have changed the same path, that is an error which lists those paths, unless --ours or \
--theirs settles them. Each that was settled is printed: what the container did and what the image did \
(A is added, M modified, D deleted), whose state stays, and the path. The id comes last.

${IMAGE_HELP}`,
  operands: { usage: ["ID IMAGE"], min: 2, max: 2, completes: "container" },
  options: {
    ours: flag("where both have changed a path, keep the container's state"),
    theirs: flag("where both have changed a path, take that of IMAGE"),
    fail: flag("where both have changed a path, change nothing; the default"),
    ...REGISTRY_OPTIONS,
  },
  cleansUp: true,
  examples: ["rebase web debian:12.9", "rebase web oci:images/app:2 --theirs"],
});

/** These commands, in the order in which help lists them. */
export const CHANGE_SPECS = { diff, commit, rebase };
