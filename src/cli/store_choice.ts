/**
 * Which store is meant: options first, then the environment, then the defaults.
 *
 * @module
 */

import { resolve } from "@std/path/posix/resolve";
import { LayerfsError } from "../errors.ts";
import type { StoreChoice } from "./context.ts";
import type { Io } from "./io.ts";
import { checkChoice, type Globals } from "./parse.ts";
import { GLOBAL_OPTIONS } from "./specs.ts";

/** Where the store of root is. */
const SYSTEM_STORE = "/var/lib/layerfs";

/** Options that the environment can give. */
const FROM_ENVIRONMENT = ["store", "driver", "dataset"] as const;

/**
 * Finds the store, its driver and the digest engine.
 *
 * @throws {LayerfsError} `usage` for a value that the environment has wrong, `permission-missing`
 * where Deno may not look
 */
export function chooseStore(globals: Globals, io: Io): StoreChoice {
  const absent = FROM_ENVIRONMENT.filter((name) => globals[name] === undefined);
  const env = io.env(absent.flatMap((name) => GLOBAL_OPTIONS[name].env ?? []));
  const value = (name: (typeof FROM_ENVIRONMENT)[number]): string | undefined => {
    if (globals[name] !== undefined) return globals[name];
    const variable = GLOBAL_OPTIONS[name].env ?? "";
    // Set to nothing is not set, as in most programs.
    const given = env.get(variable) || undefined;
    if (given !== undefined) checkChoice(`${variable} with`, given, GLOBAL_OPTIONS[name]);
    return given;
  };
  const dataset = value("dataset");
  return {
    store: resolve(value("store") ?? defaultStore(io)),
    driver: (value("driver") ?? "auto") as StoreChoice["driver"],
    ...(dataset === undefined ? {} : { dataset }),
    engine: globals["digest-engine"] ?? "wasm",
  };
}

/** `/var/lib/layerfs` for root, else below XDG_DATA_HOME (XDG Base Directory Specification). */
function defaultStore(io: Io): string {
  if (io.uid() === 0) return SYSTEM_STORE;
  const env = io.env(["XDG_DATA_HOME", "HOME"]);
  const data = env.get("XDG_DATA_HOME");
  // The specification: a relative path in it is invalid and to be ignored.
  if (data?.startsWith("/")) return `${data}/layerfs`;
  const home = env.get("HOME");
  if (home?.startsWith("/")) return `${home}/.local/share/layerfs`;
  throw new LayerfsError(
    "usage",
    "Cannot tell where the store is: neither XDG_DATA_HOME nor HOME is set; give --store DIR",
  );
}
