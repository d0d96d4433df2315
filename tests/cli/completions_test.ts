import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { bashCompletions } from "../../src/cli/completions/bash.ts";
import { fishCompletions } from "../../src/cli/completions/fish.ts";
import { zshCompletions } from "../../src/cli/completions/zsh.ts";
import { COMMAND_NAMES, specOf } from "../../src/cli/specs.ts";

/** Runs a shell; what it prints. */
async function shell(program: string, ...args: string[]): Promise<string> {
  const output = await new Deno.Command(program, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  assertEquals(decoder.decode(output.stderr), "");
  assertEquals(output.code, 0);
  return decoder.decode(output.stdout).trim();
}

/** Whether a program is installed, and may be run. */
async function has(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["-c", ""] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What bash offers for the last of `words`, split as bash splits them. */
function bash(...words: string[]): Promise<string> {
  const script = `${bashCompletions()}
    compopt() { :; }
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*"
    COMP_LINE="\${COMP_LINE// : /:}" COMP_POINT=\${#COMP_LINE}
    _layerfs
    echo "\${COMPREPLY[*]}"`;
  return shell("bash", "-c", script, "bash", "layerfs", ...words);
}

Deno.test("every script knows every command and option", () => {
  for (const script of [bashCompletions(), zshCompletions(), fishCompletions()]) {
    for (const name of COMMAND_NAMES) {
      assert(new RegExp(`\\b${name}\\b`).test(script), name);
      for (const option of Object.keys(specOf(name).options)) {
        assert(new RegExp(`(--|-l )${option}\\b`).test(script), option);
      }
    }
  }
});

Deno.test("bash completes commands", async () => {
  assertEquals(await bash("i"), "images inspect info");
  assertEquals(await bash("--json", "cr"), "create");
  assertEquals(await bash("--store", "/tmp", "cr"), "create");
});

Deno.test("bash completes options of the command and of all", async () => {
  assertEquals(await bash("create", "--na"), "--name");
  assertEquals(await bash("create", "--qui"), "--quiet");
  assertEquals(await bash("ps", "--na"), "");
});

Deno.test("bash completes values", async () => {
  assertEquals(await bash("--driver", "o"), "overlay");
  assertEquals(await bash("create", "--network", "="), "host none");
  assertEquals(await bash("create", "--network", "=", "h"), "host");
  assertEquals(await bash("completions", ""), "bash zsh fish");
});

Deno.test("bash completes image references behind their transport", async () => {
  assertEquals(await bash("create", "oci"), "oci: oci-archive:");
  assertEquals(await bash("create", "oci", ":", "deno.l"), "deno.lock");
});

Deno.test("scripts survive quotes in the table's texts", async () => {
  // The help of --entrypoint has double quotes, other texts have brackets and apostrophes.
  assertStringIncludes(zshCompletions(), 'or a JSON array; "" for none');
  await shell("bash", "-n", "-c", bashCompletions());
});

Deno.test({
  name: "zsh reads its script",
  ignore: !(await has("zsh")),
  fn: async () => void await shell("zsh", "-f", "-n", "-c", zshCompletions()),
});

Deno.test({
  name: "fish completes commands, options and values",
  ignore: !(await has("fish")),
  async fn() {
    const offers = async (line: string) => {
      const script = `${fishCompletions()}\ncomplete -C '${line}'`;
      const text = await shell("fish", "--no-config", "-c", script);
      return text.split("\n").map((offer) => offer.split("\t")[0]).sort();
    };
    assertEquals(await offers("layerfs cr"), ["create"]);
    assertEquals(await offers("layerfs create --na"), ["--name"]);
    assertEquals(await offers("layerfs completions "), ["bash", "fish", "zsh"]);
    assertEquals(await offers("layerfs create --network h"), ["host"]);
    assertEquals(await offers("layerfs create oci"), ["oci-archive:", "oci:"]);
  },
});
