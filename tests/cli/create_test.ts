/** `create` in this process, with a terminal and signals made of variables; the demo. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { main } from "../../src/cli/main.ts";
import { writeHelloLayout } from "../../src/hello/hello_image.ts";
import { FakeIo } from "./fake_io.ts";

/** Calls `use` with a terminal, and the command line that creates a container of the hello image. */
async function withHello(
  use: (io: FakeIo, create: string[], directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await writeHelloLayout(`${directory}/hello`);
    const io = new FakeIo();
    io.stderrIsTerminal = io.noColor = true;
    const store = [`--store=${directory}/store`, "--driver=directory"];
    await use(io, [...store, "create", "--name=web", `oci:${directory}/hello`], directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("people see progress, then what was made; scripts the bundle's path", () =>
  withHello(async (io, create, directory) => {
    assertEquals(await main(create, io), 0);
    assertEquals(io.out, `${directory}/store/containers/web\n`);
    const lines = io.err.split("\r\x1b[K");
    assertMatch(lines[1] ?? "", /^layers 0\/1 {2}0 B of [\d.]+ kB {2}0 %$/);
    const rest = lines.at(-1) ?? "";
    assertMatch(
      rest,
      /^(layerfs: warning: .*\n)*container web from image, 1 layers \(0 reused\), .* s\n$/,
    );
  }));

Deno.test("--quiet, --no-progress, --json: less is said", () =>
  withHello(async (io, create) => {
    assertEquals(await main(["--quiet", ...create], io), 0);
    assertEquals(io.err, "");
    io.out = "";
    // The name is taken: an error, which is a document here.
    assertEquals(await main(["--json", "--no-progress", ...create], io), 5);
    assertEquals([JSON.parse(io.out).error.code, io.err], ["conflict", ""]);
  }));

Deno.test("a signal ends create with 130, and leaves nothing behind", () =>
  withHello(async (io, create, directory) => {
    const running = main(create, io);
    // Commands listen before they load anything.
    assertEquals(io.listening, 1);
    io.interrupt("SIGTERM");
    assertEquals(await running, 130);
    assertEquals(io.out, "");
    assertStringIncludes(io.err, "interrupted by SIGTERM");
    assertEquals(io.listening, 0);
    const left = [...Deno.readDirSync(`${directory}/store/containers`)];
    assertEquals(left.map(({ name }) => name), []);
  }));

Deno.test("--log-level=debug tells which store is worked on", () =>
  withHello(async (io, create, directory) => {
    assertEquals(await main(["--log-level=debug", ...create], io), 0);
    assertStringIncludes(io.err, `layerfs: debug: create on {"store":"${directory}/store"`);
  }));

Deno.test("the demo works without a runtime, and says what it leaves out", async () => {
  const bin = await Deno.makeTempDir();
  const flags = config.tasks.demo.command.split(" ").slice(2);
  assert(flags.at(-1) === "src/cli/demo.ts");
  try {
    for (const name of ["cp", "du", "tar"]) {
      await Deno.symlink(`/usr/bin/${name}`, `${bin}/${name}`);
    }
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", ...flags],
      cwd: new URL("../../", import.meta.url),
      env: { PATH: bin, TMPDIR: bin },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    assertMatch(text, /\$ layerfs .* create --name demo oci:hello:hello\n.*\/containers\/demo\n/);
    assertStringIncludes(text, "  config.json  ");
    assertStringIncludes(text, 'It starts ["/hello"] in /');
    assertMatch(text, /\nSkipped: layerfs .* run --rm oci:hello:hello\n {2}\(.*\)\n/);
  } finally {
    await Deno.remove(bin, { recursive: true });
  }
});
