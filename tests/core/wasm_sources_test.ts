/** The committed modules were compiled from the committed sources: `wasm/build.ts --check`, but cheap. */

import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";

const WASM = new URL("../../wasm/", import.meta.url);

Deno.test("wasm/layerfs.sha256 lists the sources and the modules as they are", () => {
  const listed = new Map<string, string>();
  for (const line of Deno.readTextFileSync(new URL("layerfs.sha256", WASM)).trim().split("\n")) {
    const [hex = "", name = ""] = line.split("  ");
    listed.set(name, hex);
  }
  const names = [...Deno.readDirSync(new URL("assembly/", WASM))].map(({ name }) =>
    `assembly/${name}`
  );
  assert(names.length > 10);
  assertEquals([...listed.keys()], [...names.sort(), "layerfs.wasm", "lanes.wasm"]);
  for (const [name, hex] of listed) {
    const found = createHash("sha256").update(Deno.readFileSync(new URL(name, WASM))).digest("hex");
    assertEquals(found, hex, `${name} changed: run wasm/build.ts`);
  }
});
