import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commandHelp, overallHelp } from "../../src/cli/help.ts";
import { COMMAND_NAMES, GLOBAL_OPTIONS, specOf } from "../../src/cli/specs.ts";

Deno.test("overall help names every command and every option of all", () => {
  const help = overallHelp();
  for (const name of COMMAND_NAMES) assert(new RegExp(`^  ${name} +[A-Z]`, "m").test(help), name);
  for (const name of Object.keys(GLOBAL_OPTIONS)) assertStringIncludes(help, `--${name}`);
  assertStringIncludes(help, "[LAYERFS_STORE]");
});

Deno.test("help of a command names its options, its usage and its examples", () => {
  for (const name of COMMAND_NAMES) {
    const help = commandHelp(name);
    const spec = specOf(name);
    assertEquals(
      help.split("\n")[0],
      `Usage: layerfs ${name} [OPTIONS] ${spec.operands.usage[0]}`.trimEnd(),
    );
    for (const option of Object.keys(spec.options)) assertStringIncludes(help, `--${option}`);
    for (const example of spec.examples ?? []) assertStringIncludes(help, `  layerfs ${example}\n`);
  }
});

Deno.test("lines end within 80 columns and without blanks", () => {
  for (const help of [overallHelp(), ...COMMAND_NAMES.map(commandHelp)]) {
    const text = help.split("Examples:")[0] ?? "";
    for (const line of text.split("\n")) {
      assert(line.length <= 80, `${line.length}: ${line}`);
      assertEquals(line, line.trimEnd());
    }
  }
});

Deno.test("no two options of a command share a name or a letter", () => {
  for (const name of COMMAND_NAMES) {
    const own = Object.entries(specOf(name).options);
    for (const [option] of own) assert(!(option in GLOBAL_OPTIONS), `${name} --${option}`);
    const letters = [...own, ...Object.entries(GLOBAL_OPTIONS)].map(([, option]) =>
      "short" in option ? option.short : undefined
    ).filter((letter) => letter !== undefined);
    assertEquals(new Set(letters).size, letters.length, name);
  }
});
