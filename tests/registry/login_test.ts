import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Credentials } from "../../src/registry/credentials.ts";
import { login, logout } from "../../src/registry/login.ts";
import type { RegistrySettings } from "../../src/registry/settings.ts";
import { failure, FaultyRegistry } from "./faulty_registry.ts";
import { failureOf, settingsFor, TestClock } from "./harness.ts";

const USER = Credentials.password("alice", "correct horse");
const BASIC = `Basic ${btoa("alice:correct horse")}`;
const { timing } = new TestClock();

/** A registry that knows alice only. */
function closed(): FaultyRegistry {
  return new FaultyRegistry(({ headers }) =>
    headers.get("authorization") === BASIC
      ? undefined
      : failure(401, "UNAUTHORIZED", "who are you", { "www-authenticate": 'Basic realm="x"' })
  );
}

/** Calls `use` with a registry, and settings whose credentials go to a file in a directory. */
async function withRegistry(
  use: (registry: FaultyRegistry, settings: RegistrySettings, file: string) => Promise<void>,
): Promise<void> {
  await using registry = closed();
  const directory = await Deno.makeTempDir();
  const file = `${directory}/deep/auth.json`;
  try {
    await use(registry, settingsFor([registry.host], { authFiles: [file] }), file);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const mode = async (path: string) => ((await Deno.stat(path)).mode ?? 0) & 0o777;
const read = async (path: string) => JSON.parse(await Deno.readTextFile(path));

Deno.test("a login is kept in a file that only its owner reads", () =>
  withRegistry(async ({ host }, settings, file) => {
    assertEquals(await login(host, USER, settings, { timing }), file);
    assertEquals(await read(file), { auths: { [host]: { auth: btoa("alice:correct horse") } } });
    assertEquals(await mode(file), 0o600);
    assertEquals(await mode(`${file}/..`), 0o700);
    const names = [...Deno.readDirSync(`${file}/..`)].map(({ name }) => name);
    assertEquals(names, ["auth.json"]);
  }));

Deno.test("a login that the registry refuses is not kept", () =>
  withRegistry(async ({ host }, settings, file) => {
    const wrong = Credentials.password("alice", "wrong horse");
    const { code, message } = await failureOf(() => login(host, wrong, settings, { timing }));
    assertEquals(code, "unauthorized");
    assertStringIncludes(message, `Cannot log in to ${host}: GET /v2/: 401`);
    assert(!message.includes("wrong horse"));
    assertEquals((await failureOf(() => Deno.stat(file).catch(rethrown))).code, "not-found");
  }));

Deno.test("other entries and unknown members stay; the mode is tightened", () =>
  withRegistry(async ({ host }, settings, file) => {
    await Deno.mkdir(`${file}/..`);
    const other = {
      HttpHeaders: { "User-Agent": "x" },
      auths: {
        "r.io": { auth: "YTpi", email: "a@b" },
        [`https://${host}/v1/`]: { auth: "b2xkOm9sZA==" },
      },
      plugins: { x: [1, null, "ü"] },
    };
    await Deno.writeTextFile(file, JSON.stringify(other));
    await Deno.chmod(file, 0o644);
    await login(host, USER, settings, { timing });
    assertEquals(await read(file), {
      ...other,
      auths: { "r.io": other.auths["r.io"], [host]: { auth: btoa("alice:correct horse") } },
    });
    assertEquals(await mode(file), 0o600);
    assertEquals(await logout(host, settings), { removed: [file], remains: false });
    assertEquals(await read(file), { ...other, auths: { "r.io": other.auths["r.io"] } });
    assertEquals(await mode(file), 0o600);
    assertEquals(await logout(host, settings), { removed: [], remains: false });
  }));

Deno.test("a symlink to the file stays one", () =>
  withRegistry(async ({ host }, settings, file) => {
    await Deno.mkdir(`${file}/..`);
    await Deno.writeTextFile(`${file}.real`, "{}");
    await Deno.symlink("auth.json.real", file);
    await login(host, USER, settings, { timing });
    assert((await Deno.lstat(file)).isSymlink);
    assertEquals(Object.keys((await read(`${file}.real`)).auths), [host]);
  }));

Deno.test("logins at a time do not lose one another", () =>
  withRegistry(async (registry, settings, file) => {
    const port = registry.host.split(":")[1];
    // Twenty names of one host.
    const hosts = Array.from({ length: 20 }, (_, i) => `127.0.0.${i + 1}:${port}`);
    const { updateAuthFile } = await import("../../src/registry/auth_file_update.ts");
    await Promise.all(hosts.map((host) => updateAuthFile(file, host, USER)));
    assertEquals(Object.keys((await read(file)).auths).sort(), hosts.sort());
    assertEquals(settings.authFiles, [file]);
  }));

Deno.test("a damaged file is not overwritten", () =>
  withRegistry(async ({ host }, settings, file) => {
    await Deno.mkdir(`${file}/..`);
    await Deno.writeTextFile(file, "{ broken");
    assertEquals((await failureOf(() => login(host, USER, settings, { timing }))).code, "usage");
    assertEquals(await Deno.readTextFile(file), "{ broken");
  }));

Deno.test("a logout tells of credentials that other programs have put elsewhere", () =>
  withRegistry(async ({ host }, settings, file) => {
    const docker = `${file}.docker`;
    await Deno.mkdir(`${file}/..`);
    await Deno.writeTextFile(docker, JSON.stringify({ auths: { [host]: { auth: "YTpi" } } }));
    const both = { ...settings, authFiles: [file, docker] };
    assertEquals(await logout(host, both), { removed: [], remains: true });
  }));

Deno.test("Docker Hub has Docker's key in Docker's file", async () => {
  const { updateAuthFile } = await import("../../src/registry/auth_file_update.ts");
  const directory = await Deno.makeTempDir();
  try {
    await updateAuthFile(`${directory}/config.json`, "docker.io", USER);
    await updateAuthFile(`${directory}/auth.json`, "docker.io", USER);
    const keys = async (name: string) => Object.keys((await read(`${directory}/${name}`)).auths);
    assertEquals(await keys("config.json"), ["https://index.docker.io/v1/"]);
    assertEquals(await keys("auth.json"), ["docker.io"]);
    assertEquals(await updateAuthFile(`${directory}/config.json`, "docker.io", null), true);
    assertEquals(await keys("config.json"), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("without a place for credentials there is no login", async () => {
  await using registry = closed();
  const settings = settingsFor([registry.host]);
  const { code, message } = await failureOf(() => login(registry.host, USER, settings, { timing }));
  assertEquals(code, "usage");
  assertStringIncludes(message, "give --authfile");
});

/** An error of the system, as one of ours. */
async function rethrown(error: unknown): Promise<never> {
  const { storageError } = await import("../../src/system_error.ts");
  throw storageError(error, "Cannot look");
}
