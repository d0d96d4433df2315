/** A tree as it is looked at, piece by piece. */

import { assertEquals } from "@std/assert";
import { encodeName, type RawNames } from "../../src/core/raw_name.ts";
import { TreeView } from "../../src/layer/tree_view.ts";
import { bash } from "../store/contract_compare.ts";

Deno.test("what is below a name that is not UTF-8 is seen, in whatever order it is asked for", async () => {
  const root = await Deno.makeTempDir();
  try {
    await bash(root, String.raw`mkdir -p $'r\xff/d' && echo > $'r\xff/f' && echo > plain`);
    const names: RawNames = new Map();
    const raw = encodeName(Uint8Array.of(0x72, 0xff), names);
    for (const first of [`${raw}/f`, raw, "plain", `${raw}/none`]) {
      const view = new TreeView(root, names);
      const kinds = [first, `${raw}/f`, `${raw}/d`, raw, "plain", `${raw}/none`].map((path) =>
        view.stat(path)?.kind
      );
      const expected = ["file", "directory", "directory", "file", undefined];
      assertEquals(kinds.slice(1), expected, first);
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
