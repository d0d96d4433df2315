import { rebaseTests } from "./rebase_contract.ts";

rebaseTests("directory", () => Promise.resolve({ driver: "directory", deno: [Deno.execPath()] }));
