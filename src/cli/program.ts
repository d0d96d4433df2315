/**
 * The program: what the tasks, the installed command and the compiled binary start. mod.ts hands
 * over to it as well, but loads the whole library first, which takes longer than `--version` does.
 *
 * @module
 */

import { main } from "./main.ts";

Deno.exit(await main(Deno.args));
