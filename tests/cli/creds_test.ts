/** A password of the command line goes to the registry that it was given for, and to no other. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { main } from "../../src/cli/main.ts";
import { digestOf, imageLayout } from "../fixtures/image.ts";
import { FaultyRegistry } from "../registry/faulty_registry.ts";
import { settingsFor } from "../registry/harness.ts";
import { withDirectory } from "../source/scratch.ts";
import { copy, LAYERS } from "../transfer/harness.ts";
import { FakeIo } from "./fake_io.ts";

const right = (user: string) => `Basic ${btoa(`${user}:secret of ${user}`)}`;

/** What the command line says for a user of {@linkcode guarded}. */
const creds = (user: string) => `${user}:secret of ${user}`;

/** A registry that has an image as "team/app:1", and lets one user in. */
async function guarded(dir: string, user: string): Promise<FaultyRegistry> {
  const registry = new FaultyRegistry();
  const image = imageLayout(`${dir}/${user}`, { layers: LAYERS });
  const settings = settingsFor([registry.host]);
  await copy(image.reference, nameIn(registry), { registry: () => Promise.resolve(settings) });
  for (const manifest of [...registry.manifests.values()]) {
    registry.manifests.set(digestOf(manifest.bytes), manifest);
  }
  registry.asked.length = 0;
  registry.handler = ({ headers }) =>
    headers.get("authorization") === right(user) ? undefined : new Response("{}", {
      status: 401,
      headers: { "www-authenticate": 'Basic realm="test"' },
    });
  return registry;
}

const nameIn = ({ host }: FaultyRegistry, tag = "1") => `docker://${host}/team/app:${tag}`;

/** The users whose passwords a registry was told since it was last asked. */
function told(registry: FaultyRegistry): string[] {
  const headers = registry.asked.map(({ headers }) => headers.get("authorization"));
  registry.asked.length = 0;
  return [...new Set(headers)].filter((header) => header !== null).map((header) =>
    atob(header.slice("Basic ".length)).split(":")[0]!
  );
}

/** Calls `use` with the registries "alice" and "bob", and with a way to run command lines. */
async function withTwo(
  use: (
    alice: FaultyRegistry,
    bob: FaultyRegistry,
    run: (...args: string[]) => Promise<{ status: number; text: string }>,
    dir: string,
  ) => Promise<void>,
): Promise<void> {
  await withDirectory(async (dir) => {
    await using alice = await guarded(dir, "alice");
    await using bob = await guarded(dir, "bob");
    Deno.writeTextFileSync(`${dir}/registries.conf`, "");
    await use(alice, bob, async (...args) => {
      const io = new FakeIo();
      io.secret = "secret of alice";
      io.variables.CONTAINERS_REGISTRIES_CONF = `${dir}/registries.conf`;
      const places = [`--store=${dir}/store`, "--driver=directory"];
      const [name = "", ...rest] = args;
      const status = await main([...places, name, "--tls-verify=false", ...rest], io);
      return { status, text: io.out + io.err };
    }, dir);
  });
}

Deno.test("copy between two registries takes credentials for each, and mixes none up", () =>
  withTwo(async (alice, bob, run) => {
    const [from, to] = [nameIn(alice), nameIn(bob, "2")];
    const { status, text } = await run("copy", `--creds=${creds("alice")}`, from, to);
    assertEquals([status, alice.asked, bob.asked], [2, [], []], text);
    assertStringIncludes(text, "--src-creds and --dest-creds");
    const src = `--src-creds=${creds("alice")}`;
    const dest = `--dest-creds=${creds("bob")}`;
    for (
      const options of [
        [src, dest],
        [`--creds=${creds("alice")}`, dest],
        [`--creds=${creds("bob")}`, src],
        ["--src-creds=alice", dest],
      ]
    ) {
      const copied = await run("copy", ...options, from, to);
      assertEquals([copied.status, told(alice), told(bob)], [0, ["alice"], ["bob"]], copied.text);
    }
    const one = await run("copy", src, from, to);
    assertEquals([one.status, told(alice), told(bob)], [6, ["alice"], []], one.text);
    const within = await run("copy", "--creds=alice", from, nameIn(alice, "2"));
    assertEquals([within.status, told(alice)], [0, ["alice"]], within.text);
    // One question for the two of them.
    assertEquals(within.text.split(`Password of alice at ${alice.host}: `).length, 2);
  }));

Deno.test("the options of one side overrule the common ones", () =>
  withTwo(async (alice, bob, run) => {
    const line = [`--src-creds=${creds("alice")}`, `--dest-creds=${creds("bob")}`];
    const references = [nameIn(alice), nameIn(bob, "2")];
    for (const [side, host] of [["src", alice.host], ["dest", bob.host]]) {
      const verified = await run("copy", ...line, `--${side}-tls-verify=true`, ...references);
      assertEquals(verified.status, 4);
      assertStringIncludes(verified.text, `${host}/team/app`);
      const directory = `--${side}-cert-dir=/nowhere-${side}`;
      const certified = await run("copy", ...line, directory, ...references);
      assertEquals(certified.status, 4);
      assertStringIncludes(certified.text, `Cannot use --cert-dir "/nowhere-${side}"`);
    }
  }));

Deno.test("the image of --layers-missing-from gets no password of the source", () =>
  withTwo(async (alice, bob, run, dir) => {
    const delta = (...options: string[]) =>
      run("copy", ...options, nameIn(alice), `oci:${dir}/delta:1`);
    const common = await delta(
      `--layers-missing-from=${nameIn(bob)}`,
      `--creds=${creds("alice")}`,
    );
    assertEquals([common.status, told(alice), told(bob)], [2, [], []], common.text);
    const sided = await delta(
      `--layers-missing-from=${nameIn(bob)}`,
      `--src-creds=${creds("alice")}`,
    );
    assertEquals([sided.status, told(alice), told(bob)], [6, ["alice"], []], sided.text);
    bob.handler = () => undefined;
    const open = await delta(
      `--layers-missing-from=${nameIn(bob)}`,
      `--src-creds=${creds("alice")}`,
    );
    assertEquals([open.status, told(alice), told(bob)], [0, ["alice"], []], open.text);
  }));

Deno.test("--creds reaches the registry that is named, whatever the command, and no mirror of it", () =>
  withTwo(async (alice, bob, run, dir) => {
    const mirror = `[[registry]]\nlocation = "${alice.host}"\n` +
      `[[registry.mirror]]\nlocation = "${bob.host}"\ninsecure = true\n`;
    Deno.writeTextFileSync(`${dir}/registries.conf`, mirror);
    const image = nameIn(alice);
    for (
      const line of [
        ["pull", image],
        ["create", "--name=web", image],
        ["inspect", image],
        ["validate", image],
        ["squash", image, "flat"],
        ["copy", image, `oci:${dir}/copy:1`],
      ]
    ) {
      const [name = "", ...operands] = line;
      const { status, text } = await run(name, `--creds=${creds("alice")}`, ...operands);
      assertEquals([name, status, told(alice)], [name, 0, ["alice"]], text);
      assertEquals([name, bob.asked.length > 0, told(bob)], [name, true, []]);
    }
  }));

Deno.test("a bare name in the store takes no password that is for the destination", () =>
  withTwo(async (alice, bob, run) => {
    const name = `${alice.host}/team/app:1`;
    // The store has it not: the registry that it implies is asked.
    const { status, text } = await run("copy", `--creds=${creds("bob")}`, name, nameIn(bob, "2"));
    assertEquals([status, alice.asked.length > 0, told(alice), told(bob)], [6, true, [], []], text);
  }));

Deno.test("credentials for a new image go to its registry, not to that of the container's old one", () =>
  withTwo(async (alice, bob, run) => {
    const made = await run("create", `--creds=${creds("alice")}`, "--name=web", nameIn(alice));
    assertEquals([made.status, told(alice)], [0, ["alice"]], made.text);
    // What is the container's own image is fetched anew, where nothing of it is in the store.
    const diff = await run("diff", `--creds=${creds("alice")}`, "web");
    const needed = told(alice);
    assertEquals([diff.status, told(bob)], [0, []], diff.text);
    const commit = await run("commit", `--creds=${creds("alice")}`, "web", "made:1");
    assertEquals([commit.status, told(alice)], [0, needed], commit.text);
    const rebase = await run("rebase", `--creds=${creds("bob")}`, "web", nameIn(bob));
    // The old image is not to be had without a password of its own, unless the layers are kept.
    assertEquals(rebase.status, needed.length === 0 ? 0 : 4, rebase.text);
    assertEquals([told(alice), told(bob)], [[], ["bob"]], rebase.text);
  }));
