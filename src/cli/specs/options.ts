/**
 * Options and words that several commands have.
 *
 * @module
 */

import { choice, flag, text } from "../spec.ts";

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

/** The platform of an image. */
export const PLATFORM = text(
  "OS/ARCH[/VARIANT]",
  "platform to choose, where the image has several",
);

const tlsVerify = (help: string) => choice(["true", "false"], help);
const certDir = (help: string) => text("DIR", help, { completes: "directory" });
const creds = (help: string) => text("USER[:PASSWORD]", help);

/** Options of the commands that may reach a registry. */
export const REGISTRY_OPTIONS = {
  "tls-verify": tlsVerify("whether to check the certificates of registries"),
  "cert-dir": certDir("certificates for registries (*.crt, *.cert, *.key)"),
  authfile: text("FILE", "file with the credentials for registries", {
    completes: "file",
    env: "REGISTRY_AUTH_FILE",
  }),
  creds: creds("credentials for the registry; asked for where not given"),
};

/** Options of `copy` for one of its two registries; each overrules the one without "src-" or "dest-". */
export const SIDE_OPTIONS = {
  "src-tls-verify": tlsVerify("whether to check the certificate of the source's registry"),
  "src-cert-dir": certDir("certificates for the source's registry"),
  "src-creds": creds("credentials for the source's registry"),
  "dest-tls-verify": tlsVerify("whether to check the certificate of the destination's registry"),
  "dest-cert-dir": certDir("certificates for the destination's registry"),
  "dest-creds": creds("credentials for the destination's registry"),
};

/** When a registry is asked for the image of a bare name. */
export const PULL = choice(
  ["missing", "always", "never"],
  "when to ask the registry that a bare name implies",
);

const PLACES = `IMAGE is oci:DIR[:TAG|@DIGEST], oci-archive:FILE[:TAG], \
docker-archive:FILE[:REPO:TAG], docker://HOST/REPO[:TAG][@DIGEST], or a name`;
const ALONE = "An image that stands alone in its directory or archive needs no tag.";

/** What an operand IMAGE may be. */
export const IMAGE_HELP =
  `${PLACES}: of an image of the store, else of the registry that it implies \
(alpine is docker.io/library/alpine:latest). ${ALONE}`;

/** What it may be where a bare name asks no registry. */
export const STORED_IMAGE_HELP = `${PLACES} of an image of the store. ${ALONE}`;
