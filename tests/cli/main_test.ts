import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { bashCompletions } from "../../src/cli/completions/bash.ts";
import { ReaderGoneError } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";
import { FakeIo } from "./fake_io.ts";

/** Runs a command line in a process of variables. */
async function run(args: string[], change: (io: FakeIo) => void = () => {}) {
  const io = new FakeIo();
  change(io);
  const status = await main(args, io);
  assertEquals(io.listening, 0);
  return { status, out: io.out, err: io.err };
}

Deno.test("the version is that of deno.json", async () => {
  assertEquals(await run(["--version"]), {
    status: 0,
    out: `layerfs ${config.version}\n`,
    err: "",
  });
  const { out } = await run(["--version", "--json"]);
  assertEquals(JSON.parse(out), { version: config.version });
});

Deno.test("help goes to standard output", async () => {
  const overall = await run([]);
  assertEquals([overall.status, overall.out], [2, ""]);
  assertStringIncludes(overall.err, "layerfs --help");
  const help = await run(["create", "--help"]);
  assertEquals([help.status, help.err], [0, ""]);
  assertStringIncludes(help.out, "Usage: layerfs create [OPTIONS] IMAGE");
});

Deno.test("results are text, or a document with --json", async () => {
  assertEquals(await run(["completions", "bash"]), {
    status: 0,
    out: bashCompletions(),
    err: "",
  });
  const { out } = await run(["completions", "bash", "--json"]);
  assertEquals(JSON.parse(out), { shell: "bash", script: bashCompletions() });
});

Deno.test("errors go to standard error, or as a document to standard output with --json", async () => {
  const text = await run(["pss"]);
  assertEquals([text.status, text.out], [2, ""]);
  assertEquals(
    text.err,
    'layerfs: Cannot run command "pss": it is not known; did you mean "ps"?\n',
  );
  const json = await run(["pss", "--json"]);
  assertEquals([json.status, json.err], [2, ""]);
  assertEquals(JSON.parse(json.out), {
    error: {
      code: "usage",
      command: "pss",
      message: 'Cannot run command "pss": it is not known; did you mean "ps"?',
      nearest: "ps",
    },
  });
});

Deno.test("what an error quotes cannot move the terminal", async () => {
  const { err } = await run(["\x1b[2Jps"]);
  assertStringIncludes(err, "\\u001b[2Jps");
});

Deno.test("an error is red on a terminal that likes colours", async () => {
  const terminal = (io: FakeIo) => void (io.stderrIsTerminal = true);
  assertStringIncludes((await run(["pss"], terminal)).err, "layerfs: \x1b[31mCannot");
  const plain = (io: FakeIo) => void (terminal(io), io.noColor = true);
  assertMatch((await run(["pss"], plain)).err, /^layerfs: Cannot/);
});

Deno.test("an unexpected error asks for a report, and shows its stack at debug only", async () => {
  const broken = (io: FakeIo) =>
    void Object.assign(io, {
      uid: () => {
        throw new RangeError("out of it");
      },
    });
  const quiet = await run(["ps"], broken);
  assertEquals([quiet.status, quiet.out], [1, ""]);
  assertMatch(quiet.err, /^layerfs: Cannot finish ps: out of it; .* please report it .*\n$/);
  const debug = await run(["ps", "--log-level=debug"], broken);
  assertMatch(debug.err, /RangeError: out of it\n +at /);
  const json = await run(["ps", "--json"], broken);
  assertEquals(JSON.parse(json.out).error.code, "unexpected");
});

Deno.test("a reader who has gone is told nothing", async () => {
  const { status, err } = await run(["completions", "bash"], (io) =>
    void Object.assign(io, {
      stdout: () => {
        throw new ReaderGoneError("gone");
      },
    }));
  assertEquals([status, err], [1, ""]);
});

Deno.test("completions need neither environment nor user", async () => {
  const io = new FakeIo();
  assertEquals(await main(["completions", "fish"], io), 0);
  assertEquals(io.asked, []);
});
