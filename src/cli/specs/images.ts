/**
 * The commands that bring images in and out, and look at them.
 *
 * @module
 */

import { command, flag, text } from "../spec.ts";
import { IMAGE_HELP, PLATFORM } from "./options.ts";

const pull = command({
  summary: "Copy an image into the store",
  help: `Copies manifest, configuration and layers as they are, each verified, and gives the image \
a name in the store, by which the other commands take it. Prints its digest.

${IMAGE_HELP}`,
  operands: { usage: ["IMAGE"], min: 1, max: 1, completes: "image" },
  options: {
    as: text("NAME[:TAG]", "name in the store; the image's own tag where absent"),
    platform: PLATFORM,
  },
  cleansUp: true,
  examples: ["pull oci:images/debian:12 --as debian:12", "pull docker-archive:app.tar"],
});

const images = command({
  summary: "List the images of the store",
  help: "Lists the images that pull and squash have put into the store. With --quiet: names only.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {},
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
  options: { platform: PLATFORM },
  cleansUp: true,
  examples: ["squash oci:images/app:1.2 app:1.2-flat"],
});

const layers = command({
  summary: "List the layers of the store",
  help: "Lists the layers with their own sizes, and who needs them: images by name, containers by \
id. With --quiet: their ChainIDs only.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {},
});

const inspect = command({
  summary: "Show everything known of an image, a container or a layer",
  help: `Prints JSON. A reference with a transport (oci:, oci-archive:, docker-archive:) is an \
image, a digest the ChainID of a layer; anything else names a container, else an image of the store.`,
  operands: { usage: ["ID|IMAGE|LAYER"], min: 1, max: 1, completes: "container" },
  options: { platform: PLATFORM },
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

/** These commands, in the order in which help lists them. */
export const IMAGE_SPECS = { pull, images, rmi, squash, layers, inspect, validate };
