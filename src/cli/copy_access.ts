/**
 * How `copy` reaches its two registries: credentials for one of them must not go to the other.
 *
 * @module
 */

import { LayerfsError } from "../errors.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import type { CopyOptions } from "../transfer/copy.ts";
import type { Context } from "./context.ts";
import { registryAccess, type RegistryValues } from "./registry_access.ts";
import type { Values } from "./spec.ts";
import { SIDE_OPTIONS } from "./specs/options.ts";

/** Values of the options that `copy` has of registries. */
type AccessValues = RegistryValues & Values<typeof SIDE_OPTIONS>;

const SIDES = Object.keys(SIDE_OPTIONS) as (keyof typeof SIDE_OPTIONS)[];

/** The references of a command line, as they were typed. */
interface TypedReferences {
  readonly source: string;
  readonly destination: string;
  /** The image of `--layers-missing-from`. */
  readonly base: string | undefined;
}

/**
 * From the options of `copy` to how it reads and writes.
 *
 * @throws {LayerfsError} `usage` where `--creds` could be meant for several registries
 */
export function copyAccess(
  values: AccessValues,
  context: Context,
  { source, destination, base }: TypedReferences,
): Pick<CopyOptions, "registry" | "destinationRegistry"> {
  const parse = (typed: readonly string[]) => typed.map(parseReference);
  const sides = {
    src: parse(base === undefined ? [source] : [source, base]),
    dest: parse([destination]),
  };
  const shared = values.creds === undefined ? null : hostOfShared(values, sides);
  const reach = (side: "src" | "dest") => {
    const own = values[`${side}-creds`];
    const sided = {
      authfile: values.authfile,
      "tls-verify": values[`${side}-tls-verify`] ?? values["tls-verify"],
      "cert-dir": values[`${side}-cert-dir`] ?? values["cert-dir"],
      creds: own ?? values.creds,
    };
    return registryAccess(sided, context, () => own === undefined ? shared : hostOf(sides[side]));
  };
  const { registry } = reach("src");
  // One access for both asks for a password once.
  const isSided = SIDES.some((name) => values[name] !== undefined);
  return { registry, destinationRegistry: isSided ? reach("dest").registry : registry };
}

/** The registry that `--creds` is for, where the sides have none of their own. */
function hostOfShared(
  values: AccessValues,
  { src, dest }: { readonly src: readonly Reference[]; readonly dest: readonly Reference[] },
): string | null {
  const references = [
    ...(values["src-creds"] === undefined ? src : []),
    ...(values["dest-creds"] === undefined ? dest : []),
  ];
  const hosts = new Set(
    references.flatMap((each) => each.transport === "docker" ? [each.host] : []),
  );
  if (hosts.size <= 1) return hostOf(references);
  const named = [...hosts].map((host) => `"${host}"`).join(" and ");
  throw new LayerfsError(
    "usage",
    `Cannot use --creds: a password is for one registry, and ${named} are named; give each its own ` +
      "by --src-creds and --dest-creds, or log in with layerfs login",
    { registries: [...hosts].join(" ") },
  );
}

/** The registry that is named; else the one that a bare name implies. */
function hostOf(references: readonly Reference[]): string | null {
  const named = references.find(({ transport }) => transport === "docker") ??
    references.find(({ transport }) => transport === "store");
  return named !== undefined && "host" in named ? named.host : null;
}
