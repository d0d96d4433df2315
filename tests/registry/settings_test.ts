import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Credentials } from "../../src/registry/credentials.ts";
import {
  findCertificates,
  findCredentials,
  loadRegistrySettings,
  parseCredentials,
} from "../../src/registry/settings.ts";
import { CERTIFICATES } from "./faulty_registry.ts";
import { failureOf, settingsFor } from "./harness.ts";

/** Calls `use` in a directory with these files. */
async function withFiles(
  files: Record<string, string>,
  use: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(`${directory}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${directory}/${name}`, text);
    }
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const auth = (user: string, password: string) => ({ auth: btoa(`${user}:${password}`) });
const auths = (entries: Record<string, unknown>) => JSON.stringify({ auths: entries });
const shown = (found: Credentials | null) =>
  found === null ? null : `${found.username}:${found.reveal()}`;

/** What a file of credentials has for a repository. */
async function lookUp(document: string, host: string, repository = "a/b") {
  let result: string | null = null;
  await withFiles({ "auth.json": document }, async (directory) => {
    const settings = settingsFor([], { authFiles: [`${directory}/auth.json`] });
    result = shown(await findCredentials(settings, host, repository));
  });
  return result;
}

Deno.test("the most specific credentials count", async () => {
  const document = auths({
    "r.io": auth("host", "1"),
    "r.io/a": auth("team", "2"),
    "r.io/a/b": auth("repo", "3"),
    "r.io:5000": auth("port", "4"),
  });
  assertEquals(await lookUp(document, "r.io", "a/b"), "repo:3");
  assertEquals(await lookUp(document, "r.io", "a/c"), "team:2");
  assertEquals(await lookUp(document, "r.io", "ab"), "host:1");
  assertEquals(await lookUp(document, "r.io:5000", "a/b"), "port:4");
  assertEquals(await lookUp(document, "s.io", "a/b"), null);
});

Deno.test("Docker's keys are read as well", async () => {
  assertEquals(
    await lookUp(auths({ "https://index.docker.io/v1/": auth("u", "p") }), "docker.io"),
    "u:p",
  );
  assertEquals(await lookUp(auths({ "docker.io": auth("u", "p") }), "docker.io"), "u:p");
  assertEquals(await lookUp(auths({ "https://r.io/v2/": auth("u", "p") }), "r.io"), "u:p");
  assertEquals(await lookUp(auths({ "r.io": { username: "u", password: "p" } }), "r.io"), "u:p");
  assertEquals(await lookUp(auths({ "r.io": {} }), "r.io"), null);
});

Deno.test("passwords have colons, and any characters; tokens are told from them", async () => {
  const text = new TextEncoder().encode("ü:a:b\0\0").toBase64();
  assertEquals(await lookUp(auths({ "r.io": { auth: text } }), "r.io"), "ü:a:b");
  const token = { auth: btoa("u:"), identitytoken: "refresh" };
  assertEquals(await lookUp(auths({ "r.io": token }), "r.io"), "u:refresh");
});

for (
  const [name, document] of [
    ["no JSON", '{"auths": {"r.io": {"auth": "hunter2-hunter2"'],
    ["no object", '"hunter2"'],
    ["auths that are a list", '{"auths": ["hunter2"]}'],
    ["auth without base64", auths({ "r.io": { auth: "hunter2!" } })],
    ["auth without a colon", auths({ "r.io": { auth: btoa("hunter2") } })],
    ["a number", auths({ "r.io": { auth: 42 } })],
    ["a helper with a path", '{"credHelpers": {"r.io": "../hunter2"}}'],
    ["a helper with spaces", '{"credsStore": "x; hunter2"}'],
  ] as const
) {
  Deno.test(`a file of credentials with ${name} is refused, without a word of it`, async () => {
    const { code, message } = await failureOf(() => lookUp(document, "r.io"));
    assertEquals(code, "usage");
    assertEquals(/hunter2|aHVudGVyMg/.test(message), false, message);
    assertStringIncludes(message, "Cannot read credentials of");
  });
}

Deno.test("files of credentials are found in their order", async () => {
  const files = {
    "run/containers/auth.json": auths({ "1.io": auth("session", "x") }),
    "home/.config/containers/auth.json": auths({
      "1.io": auth("user", "x"),
      "2.io": auth("user", "x"),
    }),
    "home/.docker/config.json": auths({
      "1.io": auth("docker", "x"),
      "2.io": auth("docker", "x"),
      "3.io": auth("docker", "x"),
    }),
    "own.json": auths({}),
  };
  await withFiles(files, async (directory) => {
    const machine = { etc: `${directory}/etc` };
    const environment = new Map([
      ["HOME", `${directory}/home`],
      ["XDG_RUNTIME_DIR", `${directory}/run`],
    ]);
    const settings = await loadRegistrySettings({}, environment, machine);
    for (const [host, user] of [["1.io", "session"], ["2.io", "user"], ["3.io", "docker"]]) {
      assertEquals(shown(await findCredentials(settings, host!, "a")), `${user}:x`);
    }
    // A file that is named is the only one, and must be there.
    const own = await loadRegistrySettings(
      { authFile: `${directory}/own.json` },
      environment,
      machine,
    );
    assertEquals(await findCredentials(own, "1.io", "a"), null);
    environment.set("REGISTRY_AUTH_FILE", `${directory}/none.json`);
    const none = await loadRegistrySettings({}, environment, machine);
    assertEquals((await failureOf(() => findCredentials(none, "1.io", "a"))).code, "not-found");
    environment.delete("REGISTRY_AUTH_FILE");
    const credentials = { host: "1.io", credentials: parseCredentials("me:a:b") };
    const given = await loadRegistrySettings({ credentials }, environment, machine);
    assertEquals(shown(await findCredentials(given, "1.io", "a")), "me:a:b");
    // They are for one registry: another one has what the files say.
    assertEquals(shown(await findCredentials(given, "2.io", "a")), "user:x");
    assertEquals(await findCredentials(given, "1.io:443", "a"), null);
    const number = await loadRegistrySettings({}, new Map(), { ...machine, uid: 7 });
    assertEquals(number.authFiles, ["/run/containers/7/auth.json"]);
  });
});

Deno.test("--creds without a password is refused, without a word of it", async () => {
  for (const text of ["hunter2", ":hunter2"]) {
    const { code, message } = await failureOf(() =>
      Promise.resolve().then(() => parseCredentials(text))
    );
    assertEquals([code, message.includes("hunter2")], ["usage", false]);
  }
});

Deno.test("registries.conf: the user's before the system's, then the drop-ins of both", async () => {
  const conf = (location: string) => `[[registry]]\nprefix = "a.io"\nlocation = "${location}"`;
  const files: Record<string, string> = { "etc/containers/registries.conf": conf("system") };
  const found = (more: Record<string, string>, variables: [string, string][] = []) => {
    let result = "";
    return withFiles({ ...files, ...more }, async (directory) => {
      const environment = new Map([
        ["HOME", `${directory}/home`],
        ...variables.map(([name, value]) => [name, `${directory}/${value}`] as const),
      ]);
      const { registries } = await loadRegistrySettings({}, environment, {
        etc: `${directory}/etc`,
      });
      result = registries.map(({ location }) => location).join(" ");
    }).then(() => result);
  };
  assertEquals(await found({}), "system");
  const user = { "home/.config/containers/registries.conf": conf("user") };
  assertEquals(await found(user), "user");
  const dropIns = {
    "etc/containers/registries.conf.d/20.conf": conf("two"),
    "etc/containers/registries.conf.d/10.conf": conf("one"),
    "etc/containers/registries.conf.d/30.conf~": "no TOML",
  };
  assertEquals(await found(dropIns), "two");
  const own = { "home/.config/containers/registries.conf.d/05.conf": conf("own") };
  assertEquals(await found({ ...dropIns, ...own }), "own");
  const named: [string, string][] = [["CONTAINERS_REGISTRIES_CONF", "named.conf"]];
  assertEquals(await found({ ...dropIns, "named.conf": conf("named") }, named), "named");
  assertEquals((await failureOf(() => found({}, named))).code, "not-found");
});

Deno.test("certificates: of the host's directory, or of the only one", async () => {
  const pem = await Deno.readTextFile(`${CERTIFICATES}/ca.crt`);
  const files = {
    "a/r.io:5000/ca.crt": pem,
    "b/r.io:5000/client.cert": pem,
    "b/s.io/client.cert": pem,
    "b/s.io/client.key": "the key",
    "b/t.io/ca.crt": "hello",
    "b/u.io/x.key": "the key",
    "b/v.io/a.cert": pem,
    "b/v.io/b.cert": pem,
    "b/w.io/readme": "",
  };
  await withFiles(files, async (directory) => {
    const settings = settingsFor([], {
      certificates: { below: [`${directory}/a`, `${directory}/b`] },
    });
    assertEquals(await findCertificates(settings, "r.io:5000"), { authorities: [pem] });
    assertEquals(await findCertificates(settings, "s.io"), {
      authorities: [],
      client: { cert: pem, key: "the key" },
    });
    assertEquals(await findCertificates(settings, "r.io"), null);
    assertEquals(await findCertificates(settings, "w.io"), null);
    assertEquals(await findCertificates(settings, "../b/r.io:5000"), null);
    for (
      const [host, state] of [["t.io", "no certificate"], ["u.io", "has no"], ["v.io", "several"]]
    ) {
      const { code, message } = await failureOf(() => findCertificates(settings, host!));
      assertEquals(code, "usage");
      assertStringIncludes(message, state!);
    }
    const only = settingsFor([], { certificates: { only: `${directory}/b/w.io` } });
    assertEquals((await failureOf(() => findCertificates(only, "x"))).code, "not-found");
  });
});
