/**
 * A root filesystem with accounts, and config.json made for it.
 *
 * @module
 */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { buildRuntimeConfig, type BundleRequest } from "../../src/container/bundle.ts";
import type { IdMaps } from "../../src/container/id_map.ts";
import { NO_OVERRIDES, type Overrides } from "../../src/container/overrides.ts";
import { type ErrorCode, LayerfsError } from "../../src/errors.ts";
import { parseConfig } from "../../src/oci/config.ts";
import type { RuntimeConfig } from "../../src/oci/runtime_spec.ts";

/** Ids of a user with a hundred subordinate ones. */
export const MAPS: IdMaps = {
  uid: [{ containerID: 0, hostID: 1000, size: 1 }, { containerID: 1, hostID: 100000, size: 100 }],
  gid: [{ containerID: 0, hostID: 1000, size: 1 }, { containerID: 1, hostID: 100000, size: 100 }],
};
/** Ids of a user without any. */
export const OWN_ID_ONLY: IdMaps = { uid: MAPS.uid.slice(0, 1), gid: MAPS.gid.slice(0, 1) };

/** An image config with this `config` member. */
export function image(config: Record<string, unknown> = {}, top: Record<string, unknown> = {}) {
  return parseConfig(new TextEncoder().encode(JSON.stringify({
    os: "linux",
    architecture: "amd64",
    rootfs: { type: "layers", diff_ids: ["sha256:" + "0".repeat(64)] },
    ...top,
    config: { Entrypoint: ["/bin/app"], Cmd: ["serve"], ...config },
  })));
}

/** What a test asks for: the rest is an image with a command, and root. */
export interface Given extends Partial<Omit<BundleRequest, "overrides" | "rootfs">> {
  overrides?: Partial<Overrides>;
}

/** A root filesystem of its own for one test, and what is built with it. */
export async function withRoot(
  use: (
    build: (given?: Given) => ReturnType<typeof buildRuntimeConfig>,
    rootfs: string,
  ) => void | Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const rootfs = `${dir}/rootfs`;
  try {
    await Deno.mkdir(`${rootfs}/etc`, { recursive: true });
    await Deno.writeTextFile(`${rootfs}/etc/passwd`, "root:x:0:0::/root:\nweb:x:33:44::/srv:\n");
    await Deno.writeTextFile(`${rootfs}/etc/group`, "web:x:44:\nmore:x:55:web\nfar:x:5000:web\n");
    const build = ({ overrides, ...given }: Given = {}) =>
      buildRuntimeConfig({
        image: image(),
        command: [],
        rootless: null,
        id: "demo",
        ...given,
        overrides: { ...NO_OVERRIDES, ...overrides },
        rootfs,
      });
    await use(build, rootfs);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Fails unless `build` throws an error of `code` whose message has all of `says`. */
export function refused(build: () => unknown, code: ErrorCode, ...says: string[]): void {
  const error = assertThrows(build, LayerfsError);
  assertEquals(error.code, code, error.message);
  for (const text of says) assertStringIncludes(error.message, text);
}

/** The mount at `destination`, if there is one. */
export function mountAt(config: RuntimeConfig, destination: string) {
  return config.mounts.find((mount) => mount.destination === destination);
}
