// A small program around src/process.ts for tests/process_test.ts: `run PROGRAM ARG...` prints the
// error as JSON, `inherit PROGRAM ARG...` prints the status.

import { LayerfsError } from "../src/errors.ts";
import { run, runInherited } from "../src/process.ts";

const [how, program = "", ...args] = Deno.args;
const write = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));
try {
  if (how === "run") await run(program, args);
  else write(`${await runInherited(program, args)}\n`);
} catch (error) {
  if (!(error instanceof LayerfsError)) throw error;
  write(JSON.stringify(error));
}
