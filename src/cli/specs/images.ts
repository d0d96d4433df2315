/**
 * The commands that bring images in and out, and look at them.
 *
 * @module
 */

import { command, flag, text } from "../spec.ts";
import { IMAGE_HELP, PLATFORM, PULL, REGISTRY_OPTIONS, SIDE_OPTIONS } from "./options.ts";

const pull = command({
  summary: "Copy an image into the store",
  help: `Copies manifest, configuration and layers as they are, each verified, and gives the image \
a name in the store, by which the other commands take it. Prints its digest.

${IMAGE_HELP} A bare name that the store has is not looked up anew, but with --pull always; what the \
store has already is not fetched again in any case.`,
  operands: { usage: ["IMAGE"], min: 1, max: 1, completes: "image" },
  options: {
    as: text("NAME[:TAG]", "name in the store; the image's own tag where absent"),
    all: flag("the images of all platforms, with the index that lists them", { short: "a" }),
    platform: PLATFORM,
    pull: PULL,
    ...REGISTRY_OPTIONS,
  },
  cleansUp: true,
  examples: [
    "pull --pull always alpine",
    "pull oci:images/debian:12 --as debian:12",
    "pull docker-archive:app.tar",
  ],
});

const COPY_OPTIONS = {
  all: flag("the images of all platforms, with the index that lists them", { short: "a" }),
  platform: PLATFORM,
  ...REGISTRY_OPTIONS,
};

const push = command({
  summary: "Copy an image of the store to a registry",
  help:
    `Copies the image NAME as it is: bytes and digests stay what they are, and what the registry \
has already is not sent again. Prints its digest. REFERENCE is HOST/REPO[:TAG], with or without \
docker://, or any other destination of copy. Layers that their makers do not let others hand on \
(with urls) are left out, as other tools do.`,
  operands: { usage: ["NAME REFERENCE"], min: 2, max: 2, completes: "stored" },
  options: COPY_OPTIONS,
  cleansUp: true,
  examples: ["push app:1.2 registry.example.com/team/app:1.2"],
});

const copy = command({
  summary: "Copy an image from anywhere to anywhere",
  help: `Copies between docker://HOST/REPO[:TAG], oci:DIR[:TAG], oci-archive:FILE[:TAG], \
docker-archive:FILE[:REPO:TAG] and names of the store. Bytes and digests stay what they are, every \
blob is verified on its way, and what the destination has already is not copied again. Prints the \
digest. Archives are new files. Where an image is there for several platforms, the one for this \
machine is copied, unless --all or --platform says otherwise.

With --layers-missing-from, the layers that another image has are left out: the result, an oci: \
directory or archive, is a delta, which is copied to where the other image is.

Credentials go to one registry only: from one registry to another, give --src-creds and --dest-creds, or log in to both.`,
  operands: { usage: ["SOURCE DESTINATION"], min: 2, max: 2, completes: "image" },
  options: {
    ...COPY_OPTIONS,
    ...SIDE_OPTIONS,
    "layers-missing-from": text("IMAGE", "leave out the layers of an image that is there already", {
      completes: "image",
    }),
  },
  cleansUp: true,
  examples: [
    "copy --all docker://alpine oci:images:alpine",
    "copy app:1.2 docker-archive:app.tar:app:1.2",
    "copy --src-creds me --dest-creds you docker://a.example/app docker://b.example/app",
    "copy --layers-missing-from app:1.1 app:1.2 oci-archive:update.tar:1.2",
  ],
});

const tag = command({
  summary: "Give an image of the store another name",
  help: "Gives the image NAME a second name, which moves there if another image had it. Prints it.",
  operands: { usage: ["NAME NAME[:TAG]"], min: 2, max: 2, completes: "stored" },
  options: {},
  cleansUp: true,
  examples: ["tag debian:12 base:latest"],
});

const login = command({
  summary: "Log in to a registry",
  help: `Asks for a user and a password, checks them with the registry and keeps them for later \
commands, in the file that podman and skopeo read too (auth.json), or with the credential helper that \
is configured there. The password is not shown as it is typed.`,
  operands: { usage: ["HOST"], min: 1, max: 1 },
  options: {
    username: text("USER", "user name", { short: "u" }),
    "password-stdin": flag("read the password from standard input"),
    "tls-verify": REGISTRY_OPTIONS["tls-verify"],
    "cert-dir": REGISTRY_OPTIONS["cert-dir"],
    authfile: REGISTRY_OPTIONS.authfile,
  },
  examples: ["login --username me registry.example.com"],
});

const logout = command({
  summary: "Forget what login has kept",
  help: "Removes the credentials for a registry from where login keeps them.",
  operands: { usage: ["HOST"], min: 1, max: 1 },
  options: { authfile: REGISTRY_OPTIONS.authfile },
  examples: ["logout registry.example.com"],
});

const images = command({
  summary: "List the images of the store",
  help:
    "Lists the images of the store by their names, as pull, copy, tag, squash and commit gave them. \
With --quiet: names only.",
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
  options: { platform: PLATFORM, ...REGISTRY_OPTIONS },
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
  help:
    `Prints JSON. A reference with a transport (oci:, oci-archive:, docker-archive:, docker://) \
is an image, a digest the ChainID of a layer; anything else names a container, else an image of the \
store. Of an image in a registry, what refers to it (signatures, attestations) is listed too.`,
  operands: { usage: ["ID|IMAGE|LAYER"], min: 1, max: 1, completes: "container" },
  options: { platform: PLATFORM, ...REGISTRY_OPTIONS },
  examples: [
    "inspect web",
    "inspect --platform linux/arm64 oci:images/app:1.2",
    "inspect docker://alpine",
  ],
});

const validate = command({
  summary: "Check an image against the specifications",
  help: `Checks every point of the OCI image specification, reads every byte of the image, and \
prints one row a point: pass, warn (a SHOULD is not kept), fail (a MUST is broken) or skip (the \
image has nothing that the point is about). The exit status is 3 where a point fails. With --quiet: \
warnings and failures only. A bare NAME is an image of the store, else of the registry it implies; \
either is put into a directory that is gone afterwards.`,
  operands: { usage: ["IMAGE"], min: 1, max: 1, completes: "image" },
  options: REGISTRY_OPTIONS,
  examples: ["validate oci:images/app:1.2", "validate --json oci-archive:app.tar"],
});

/** These commands, in the order in which help lists them. */
export const IMAGE_SPECS = {
  pull,
  push,
  copy,
  tag,
  login,
  logout,
  images,
  rmi,
  squash,
  layers,
  inspect,
  validate,
};
