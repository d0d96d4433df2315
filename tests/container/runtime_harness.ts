// A small program around src/container/runtime.ts for runtime_test.ts, so that PATH can lead it to
// runtimes that fail: prints the result, or the error, as JSON.

import {
  findRunning,
  findRuntime,
  requireTerminal,
  runBundle,
  stopContainer,
} from "../../src/container/runtime.ts";
import { LayerfsError } from "../../src/errors.ts";

const [what, id = "", bundle = ""] = Deno.args;

async function perform(): Promise<unknown> {
  switch (what) {
    case "find":
      return await findRuntime(id === "runc" || id === "crun" ? id : undefined);
    case "run":
      return await runBundle(id, bundle, { runtime: "runc" });
    case "tty":
      return requireTerminal();
    case "running":
      return await findRunning(id, bundle);
    default: {
      const running = await findRunning(id, bundle);
      if (running !== null) await stopContainer(id, running);
      return running?.status ?? null;
    }
  }
}

let result: unknown;
try {
  result = await perform();
} catch (error) {
  if (!(error instanceof LayerfsError)) throw error;
  result = error;
}
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
