import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parse, wantsJson } from "../../src/cli/parse.ts";
import { LayerfsError } from "../../src/errors.ts";

/** Parses a line that is a command. */
function command(...args: string[]) {
  const parsed = parse(args);
  assert(parsed.kind === "command", `${parsed.kind} of ${args.join(" ")}`);
  return parsed;
}

/** The error of a line that cannot be parsed. */
function usageError(...args: string[]): LayerfsError {
  const error = assertThrows(() => parse(args), LayerfsError);
  assertEquals(error.code, "usage");
  return error;
}

Deno.test("values stand after the option or after an equals sign", () => {
  for (const args of [["--name", "web"], ["--name=web"]]) {
    const { name, values, operands } = command("create", ...args, "oci:x");
    assertEquals([name, values.name, operands], ["create", "web", ["oci:x"]]);
  }
});

Deno.test("a value may be empty, have an equals sign, blanks or a line break, or begin with a dash", () => {
  assertEquals(command("create", "--name=", "i").values.name, "");
  assertEquals(command("create", "--entrypoint", "", "i").values.entrypoint, "");
  assertEquals(command("create", "--env=A=b=c d\ne", "i").values.env, ["A=b=c d\ne"]);
  assertEquals(command("create", "--pids-limit", "-1", "i").values["pids-limit"], "-1");
  assertEquals(command("create", "--user", "007", "i").values.user, "007");
});

Deno.test("lists keep every repetition in order, other options the last one", () => {
  const { values } = command("create", "--env", "A=1", "--name", "a", "-e", "B", "--name=b", "i");
  assertEquals(values.env, ["A=1", "B"]);
  assertEquals(values.name, "b");
  assertEquals(values.label, []);
});

Deno.test("what is absent has the empty value of its kind", () => {
  const { values } = command("create", "i");
  assertEquals(values.name, undefined);
  assertEquals(values["read-only"], false);
  assertEquals(values.tmpfs, []);
});

Deno.test("flags can be given a truth value and nothing else", () => {
  assertEquals(command("ps", "--json=true").globals.json, true);
  assertEquals(command("ps", "--json", "--json=false").globals.json, false);
  assertStringIncludes(usageError("ps", "--json=1").message, "--json takes no value");
});

Deno.test("a flag does not swallow an operand that reads like a truth value", () => {
  assertEquals(command("rm", "--force", "true").operands, ["true"]);
});

Deno.test("global options stand before and after the command", () => {
  const before = command("--store", "/s", "--json", "ps");
  const after = command("ps", "--store=/s", "--json");
  assertEquals(before.globals, after.globals);
  assertEquals(before.globals.store, "/s");
  assertEquals(command("--store=/a", "ps", "--store=/b").globals.store, "/b");
});

Deno.test("options of create and run end at the image", () => {
  const line = command("run", "--rm", "oci:i", "sh", "-c", "a -- b", "--name", "x", "--", "--help");
  assertEquals(line.operands, ["oci:i", "sh", "-c", "a -- b", "--name", "x", "--", "--help"]);
  assertEquals([line.values.name, line.values.rm, line.globals.help], [undefined, true, false]);
});

Deno.test("options of other commands stand between operands, until two dashes", () => {
  const line = command("rm", "a", "--force", "b", "--", "--json");
  assertEquals(line.operands, ["a", "b", "--json"]);
  assertEquals([line.values.force, line.globals.json], [true, false]);
});

Deno.test("two dashes before the image are not part of the command", () => {
  assertEquals(command("create", "--tty", "--", "oci:i", "--", "x").operands, ["oci:i", "--", "x"]);
});

Deno.test("short options: alone, glued, with an equals sign, in a bundle", () => {
  for (const args of [["-e", "A=1"], ["-eA=1"], ["-e=A=1"]]) {
    assertEquals(command("create", ...args, "i").values.env, ["A=1"]);
  }
  const { values, globals } = command("rm", "-qf", "x");
  assertEquals([globals.quiet, values.force], [true, true]);
  assertEquals(command("create", "-tu", "me", "i").values.user, "me");
  assertStringIncludes(usageError("rm", "-qz", "x").message, "Cannot use -z of -qz");
});

Deno.test("a single dash is an operand", () => {
  assertEquals(command("rm", "-").operands, ["-"]);
});

Deno.test("an unknown command names the nearest one", () => {
  const error = usageError("craete", "x");
  assertStringIncludes(error.message, 'did you mean "create"?');
  assertEquals(error.data.nearest, "create");
});

Deno.test("an unknown option names the nearest one, of the command or of all", () => {
  assertEquals(usageError("create", "--evn=A=1", "i").data.nearest, "--env");
  assertEquals(usageError("create", "--jsn", "i").data.nearest, "--json");
  assertEquals(usageError("--stroe", "/x", "ps").data.nearest, "--store");
  // An option of another command is unknown here.
  assertStringIncludes(usageError("ps", "--rootfs", "x").message, "Cannot use --rootfs");
});

Deno.test("names of Object.prototype are no options and no commands", () => {
  for (const word of ["constructor", "__proto__", "toString"]) {
    assertStringIncludes(usageError("ps", `--${word}`).message, "not known");
    assertStringIncludes(usageError("ps", `--${word}=1`).message, "not known");
    assertStringIncludes(usageError(word).message, "not known");
  }
});

Deno.test("a missing value is noticed, also where an option stands in its place", () => {
  assertStringIncludes(usageError("create", "--name").message, "its value is missing");
  assertStringIncludes(usageError("create", "--name", "--json", "i").message, "before --json");
  assertEquals(command("create", "--name=--json", "i").values.name, "--json");
  // What is no option of ours may be a value.
  assertEquals(command("create", "--env", "--x", "i").values.env, ["--x"]);
});

Deno.test("a choice that there is not names the nearest one", () => {
  assertStringIncludes(usageError("ps", "--driver", "zsf").message, 'did you mean "zfs"?');
  assertStringIncludes(usageError("completions", "bsh").message, 'did you mean "bash"?');
});

Deno.test("operands are counted", () => {
  assertStringIncludes(usageError("rm").message, "usage: layerfs rm [OPTIONS] ID...");
  assertStringIncludes(usageError("ps", "x").message, '"x" is too much');
  assertStringIncludes(usageError().message, "no command is given");
});

Deno.test("help is asked for in four ways, and needs no operands", () => {
  for (const args of [["--help"], ["-h"], ["help"], ["--json", "--help"]]) {
    const parsed = parse(args);
    assert(parsed.kind === "help" && parsed.name === undefined, args.join(" "));
  }
  for (const args of [["rm", "--help"], ["--help", "rm"], ["help", "rm"], ["rm", "-h", "x"]]) {
    const parsed = parse(args);
    assert(parsed.kind === "help" && parsed.name === "rm", args.join(" "));
  }
  assertEquals(usageError("help", "rmm").data.nearest, "rm");
});

Deno.test("the version is asked for anywhere", () => {
  assertEquals(parse(["--version"]).kind, "version");
  assertEquals(parse(["create", "--version"]).kind, "version");
});

Deno.test("JSON is wanted even of a line that cannot be parsed", () => {
  assertEquals(wantsJson(["ps", "--nonsense", "--json"]), true);
  assertEquals(wantsJson(["ps", "--nonsense", "--", "--json"]), false);
  assertEquals(wantsJson(["ps"]), false);
});
