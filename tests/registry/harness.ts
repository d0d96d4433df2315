/** What the tests of the registry client share: settings without a machine, a clock without waits. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import type { Credentials } from "../../src/registry/credentials.ts";
import type { RegistryEntry } from "../../src/registry/registries_conf.ts";
import type { RegistrySettings } from "../../src/registry/settings.ts";
import { CERTIFICATES, type FaultyRegistry } from "./faulty_registry.ts";
import type { Timing } from "../../src/registry/timing.ts";

/** Settings without credentials of a command line. */
type Machine = Omit<RegistrySettings, "credentials">;

/** Settings that name some hosts insecure, and nothing else. */
export function settingsFor(
  insecure: readonly string[],
  more: Partial<Machine> = {},
): Machine {
  return {
    registries: insecure.map(insecureEntry),
    certificates: { below: [] },
    authFiles: [],
    authFileNamed: false,
    ...more,
  };
}

/** A registry that may be used without encryption. */
export function insecureEntry(host: string): RegistryEntry {
  return { file: "x", prefix: host, location: host, insecure: true, blocked: false, mirrors: [] };
}

/** A clock that stands still but for the waits, which take no time; they are in `waits`. */
export class TestClock {
  readonly waits: number[] = [];
  time = Date.parse("2026-01-01T00:00:00Z");
  readonly timing: Partial<Timing> = {
    now: () => this.time,
    random: () => 1,
    errorBody: 300,
    farewell: 300,
    sleep: (ms) => {
      this.waits.push(ms);
      this.time += ms;
      return Promise.resolve();
    },
  };
}

/** Settings of a client; the credentials are for its registry. */
interface ClientSettings extends Partial<Machine> {
  readonly credentials?: Credentials;
}

/** A client for `team/app` of a registry. */
export function clientFor(
  registry: FaultyRegistry,
  { credentials, ...more }: ClientSettings = {},
  timing: Partial<Timing> = new TestClock().timing,
): RegistryClient {
  const { host } = registry;
  const image = { host, repository: "team/app", tag: "latest" };
  const own = credentials === undefined ? {} : { credentials: { host, credentials } };
  return RegistryClient.open(image, { ...reaching(registry), ...more, ...own }, timing);
}

/** Settings with which a registry can be reached. */
export function reaching({ host, wire }: FaultyRegistry): Machine {
  return wire === "https"
    ? settingsFor([], { certificates: { only: CERTIFICATES } })
    : settingsFor([host]);
}

/** All bytes of a stream. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of stream) parts.push(chunk.slice());
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** The LayerfsError that something must throw. */
export async function failureOf(action: () => Promise<unknown>): Promise<LayerfsError> {
  try {
    await action();
  } catch (error) {
    assert(error instanceof LayerfsError, `not one of ours: ${Deno.inspect(error)}`);
    return error;
  }
  throw new Error("it did not fail");
}

/** Checks that an error says what was asked of which registry and repository, and what to do. */
export function assertDamaged({ message, data }: LayerfsError, request: RegExp): void {
  assertMatch(
    message,
    /^Cannot \w+ .+ of (127\.0\.0\.1|localhost):\d+\/team\/app: GET \/v2\/team\/app\//,
  );
  assertMatch(message, /; it is damaged there, or by a proxy on its way; push it there anew$/);
  assertMatch(String(data.registry), /:\d+$/);
  assertEquals(data.repository, "team/app");
  assertMatch(String(data.request), request);
}

/** Bytes that differ from place to place. */
export function pattern(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (state * 1103515245 + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}
