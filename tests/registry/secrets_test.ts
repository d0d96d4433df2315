/** Passwords and tokens reach no error, no log and no argument of a program. */

import { assert, assertEquals } from "@std/assert";
import { Credentials } from "../../src/registry/credentials.ts";
import { login, logout } from "../../src/registry/login.ts";
import { findCredentials, type RegistrySettings } from "../../src/registry/settings.ts";
import { type Asked, FaultyRegistry } from "./faulty_registry.ts";
import { clientFor, pattern, settingsFor, TestClock } from "./harness.ts";
import { writeHelper } from "./helper_program.ts";

const PASSWORD = "pa55/word with+odd=chars";
const TOKEN = "t0ken.of.the.registry";
const REFRESH = "refresh-t0ken";

/** Everything in which the secrets could stand. */
const FORMS = [
  PASSWORD,
  encodeURIComponent(PASSWORD),
  new URLSearchParams({ x: PASSWORD }).toString().slice(2),
  btoa(`alice:${PASSWORD}`),
  TOKEN,
  REFRESH,
];

/** Fails where a secret is in something, however it is looked at. */
function assertClean(value: unknown): void {
  const error = value instanceof Error ? value : new Error();
  const texts = [
    Deno.inspect(value, { depth: 20, showHidden: true }),
    JSON.stringify(value) ?? "",
    String(value),
    error.stack ?? "",
    Deno.inspect(error.cause, { depth: 20, showHidden: true }),
  ];
  for (const text of texts) {
    for (const form of FORMS) assert(!text.includes(form), `"${form}" is in: ${text}`);
  }
}

/** What a hostile registry sends back of what it was told: everything, everywhere. */
function echo({ headers, target, body }: Asked): string {
  const text = new TextDecoder().decode(body);
  return [headers.get("authorization"), target, text, ...FORMS].join(" ");
}

/** Answers of a hostile registry that quote what it has heard. */
const ANSWERS: Record<string, (asked: Asked) => Response> = {
  "400": (asked) => new Response(echo(asked), { status: 400 }),
  "403": (asked) =>
    Response.json({ errors: [{ code: echo(asked), message: echo(asked) }] }, { status: 403 }),
  "404": () => Response.json({ errors: [{ code: TOKEN, message: PASSWORD }] }, { status: 404 }),
  "500": (asked) => new Response(echo(asked), { status: 500 }),
  "redirect": () =>
    new Response(null, { status: 307, headers: { location: `/${TOKEN}/${REFRESH}` } }),
  "redirect to a user": () =>
    new Response(null, { status: 307, headers: { location: `http://a:${TOKEN}@localhost/` } }),
  "encoding": () => new Response("x", { headers: { "content-encoding": `${TOKEN}` } }),
  "type": () => new Response("x", { headers: { "content-type": `text/${TOKEN}` } }),
  "digest": () => new Response("{}", { headers: { "docker-content-digest": TOKEN } }),
  "location": () => new Response(null, { status: 202, headers: { location: `file:///${TOKEN}` } }),
  "range": () => new Response("x", { status: 206, headers: { "content-range": TOKEN } }),
};

for (const [name, answer] of Object.entries(ANSWERS)) {
  for (
    const credentials of [
      Credentials.password("alice", PASSWORD),
      Credentials.identityToken(REFRESH, "alice"),
    ]
  ) {
    const kind = credentials.isIdentityToken ? "an identity token" : "a password";
    Deno.test(`a registry that answers (${name}) with what it was told, for ${kind}`, async () => {
      await using registry: FaultyRegistry = new FaultyRegistry((asked) => {
        if (asked.target.startsWith("/token")) {
          return Response.json({ access_token: TOKEN, expires_in: 300 });
        }
        if (!asked.headers.has("authorization")) {
          const realm = `Bearer realm="http://${registry.host}/token",service="x"`;
          return new Response(null, { status: 401, headers: { "www-authenticate": realm } });
        }
        return answer(asked);
      });
      // What was not told is no secret of this session: a registry may say it.
      const told = credentials.isIdentityToken ? [TOKEN, REFRESH] : FORMS.slice(0, -1);
      await using client = clientFor(registry, { credentials });
      const descriptor = registry.blob(pattern(100));
      const bytes = new TextEncoder().encode("{}");
      const actions = [
        () => client.manifest("latest"),
        () => client.resolve("latest"),
        () => client.document(descriptor),
        () => client.hasBlob(descriptor),
        () => client.tags(),
        () => client.referrers(descriptor.digest),
        () => client.putManifest("latest", bytes, "a/b"),
        () => client.uploadBlob(descriptor, () => ReadableStream.from([pattern(100)])),
      ];
      let failures = 0;
      for (const action of actions) {
        try {
          assertClean(await action());
        } catch (error) {
          if (!(error instanceof Error) || error.name !== "LayerfsError") throw error;
          failures++;
          for (const form of told) assert(!error.message.includes(form), error.message);
          const seen = Deno.inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
          for (const form of told) assert(!seen.includes(form), seen);
        }
      }
      assert(failures > 0);
    });
  }
}

const bound = (credentials: Credentials): RegistrySettings => ({
  ...settingsFor([]),
  credentials: { host: "r.io", credentials },
});

Deno.test("credentials show nothing but the user's name", () => {
  for (
    const credentials of [
      Credentials.password("alice", PASSWORD),
      Credentials.identityToken(REFRESH, "alice"),
    ]
  ) {
    assertClean(credentials);
    assertClean({ credentials, settings: bound(credentials) });
  }
});

Deno.test("a credential helper gets secrets through pipes", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const module = new URL("./helper_session.ts", import.meta.url).pathname;
    writeHelper(directory, "docker-credential-layerfs-test");
    writeHelper(directory, "docker-credential-other");
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--quiet",
        "--allow-read",
        "--allow-write",
        "--allow-net=127.0.0.1",
        `--allow-run=docker-credential-layerfs-test`,
        module,
        directory,
        PASSWORD,
      ],
      env: { PATH: `${directory}:/usr/bin:/bin`, NO_COLOR: "1" },
    });
    const { code, stdout, stderr } = await child.output();
    const text = new TextDecoder().decode(stdout);
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    const [place, found, logout, broken, denied] = text.trim().split("\n");
    assertEquals(place, "docker-credential-layerfs-test");
    assertEquals(found, "alice true");
    assertEquals(logout, '{"removed":["docker-credential-layerfs-test"],"remains":false}');
    assert(broken?.startsWith("unauthorized Cannot use docker-credential-layerfs-test get: it"));
    assertEquals(denied, "permission-missing --allow-run=docker-credential-other");
    for (const form of FORMS) assert(!text.includes(form), text);
    const calls = await Deno.readTextFile(`${directory}/calls`);
    assert(calls.includes("store") && calls.includes("get") && calls.includes("erase"), calls);
    for (const form of FORMS) assert(!calls.includes(form), calls);
    // The file of credentials has none of it.
    const file = await Deno.readTextFile(`${directory}/auth.json`);
    for (const form of FORMS) assert(!file.includes(form), file);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("what is kept in a file is kept in no other", async () => {
  const directory = await Deno.makeTempDir();
  await using registry = new FaultyRegistry();
  const settings = settingsFor([registry.host], { authFiles: [`${directory}/auth.json`] });
  const { timing } = new TestClock();
  try {
    await login(registry.host, Credentials.password("alice", PASSWORD), settings, { timing });
    const found = await findCredentials(settings, registry.host, "a");
    assertEquals(found?.reveal(), PASSWORD);
    for await (const { name } of Deno.readDir(directory)) {
      const { mode } = await Deno.stat(`${directory}/${name}`);
      assertEquals([name, (mode ?? 0) & 0o777], ["auth.json", 0o600]);
    }
    await logout(registry.host, settings);
    const text = await Deno.readTextFile(`${directory}/auth.json`);
    for (const form of FORMS) assert(!text.includes(form), text);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
