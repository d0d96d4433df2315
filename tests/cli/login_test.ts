/** login and logout, with a registry of the test's own that wants a password. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { main } from "../../src/cli/main.ts";
import { FaultyRegistry } from "../registry/faulty_registry.ts";
import { withDirectory } from "../source/scratch.ts";
import { FakeIo } from "./fake_io.ts";

const PASSWORD = "pa:ss wörd";

/** A registry that lets "me" in, with {@linkcode PASSWORD} only. */
function guarded(): FaultyRegistry {
  const right = `Basic ${new TextEncoder().encode(`me:${PASSWORD}`).toBase64()}`;
  return new FaultyRegistry(({ headers }) =>
    headers.get("authorization") === right ? undefined : new Response("{}", {
      status: 401,
      headers: { "www-authenticate": 'Basic realm="test"' },
    })
  );
}

Deno.test("login asks, checks and keeps, and logout forgets", () =>
  withDirectory(async (dir) => {
    await using registry = guarded();
    const authfile = `${dir}/auth.json`;
    const run = async (io: FakeIo, ...args: string[]) => {
      const status = await main([...args, `--authfile=${authfile}`, "--json"], io);
      assert(!io.out.includes(PASSWORD) && !io.err.includes(PASSWORD));
      return { status, json: JSON.parse(io.out) };
    };
    const line = ["login", "--tls-verify=false", registry.host];
    const wrong = new FakeIo();
    Object.assign(wrong, { answer: "me", secret: "wrong" });
    const refused = await run(wrong, ...line);
    assertEquals([refused.status, refused.json.error.code], [6, "unauthorized"]);
    // A gap where the advice has the same word would tell the password.
    assertStringIncludes(refused.json.error.message, 'the credentials of "me" are wrong');
    assertStringIncludes(wrong.err, `Password of me at ${registry.host}`);
    const right = new FakeIo();
    Object.assign(right, { answer: "me", secret: PASSWORD });
    const { status, json } = await run(right, ...line);
    assertEquals([status, json], [0, { registry: registry.host, username: "me", place: authfile }]);
    assertEquals(Deno.statSync(authfile).mode! & 0o777, 0o600);
    // From standard input, one line end is that of echo, and a space is part of the password.
    const piped = new FakeIo();
    piped.input = `${PASSWORD}\n`;
    assertEquals((await run(piped, ...line, "--username=me", "--password-stdin")).status, 0);
    assertEquals(piped.err, "");
    const out = await run(new FakeIo(), "logout", registry.host);
    assertEquals([out.status, out.json.removed, out.json.remains], [0, [authfile], false]);
    const again = await run(new FakeIo(), "logout", registry.host);
    assertEquals([again.status, again.json.removed], [0, []]);
  }));

Deno.test("what is no registry is no place to log in", async () => {
  for (
    const host of [
      "a/b",
      "registry",
      "https://example.com",
      "",
      "UPPER case",
      "docker://a.io",
      "a.io:99999",
    ]
  ) {
    const io = new FakeIo();
    assertEquals(await main(["login", "--username=me", "--password-stdin", host], io), 2, host);
    assertStringIncludes(io.err, `Cannot use "${host}" as a registry`);
  }
  const io = new FakeIo();
  assertEquals(await main(["login", "localhost:5000"], io), 2);
  assertStringIncludes(io.err, "the user name is empty");
});
