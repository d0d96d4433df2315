import { assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { parseDiff } from "../../src/store/zfs/zfs_diff.ts";

const paths = (stdout: string) =>
  parseDiff(stdout, "/tmp/lc").map((bytes) => String.fromCharCode(...bytes));

Deno.test("zfs diff is read as OpenZFS 2.1 and 2.3 write it", () => {
  const lines = [
    "1795531733.544536833\tM\t/\t/tmp/lc/",
    "1795531733.052536846\tR\t/\t/tmp/lc/e\t/tmp/lc/e2",
    "1795531731.464536885\t-\t/\t/tmp/lc/f",
    "1795531733.416536837\t+\tF\t/tmp/lc/g",
    "1795531733.140536843\tM\tF\t/tmp/lc/two\t(-1)",
    "1795531733.064536845\tM\tF\t/tmp/lc/nl\\0012x",
    "1795531733.064536845\tM\tF\t/tmp/lc/\\0377raw",
    "1795531733.064536845\tM\tF\t/tmp/lc/sp\\0040ace",
    "1795531733.064536845\tM\tF\t/tmp/lc/back\\0134slash",
    "1795531733.140536843\t+\tF\t/tmp/lc/xa/<xattrdir>/user.q",
  ];
  assertEquals(paths(lines.join("\n") + "\n"), [
    "",
    "e",
    "e2",
    "f",
    "g",
    "two",
    "nl\nx",
    "\xffraw",
    "sp ace",
    "back\\slash",
    "xa/<xattrdir>/user.q",
    "xa",
  ]);
  assertEquals(paths(""), []);
});

Deno.test("a path of another place is no answer", () => {
  for (const path of ["/tmp/lcx/a", "/tmp/l", "a", ""]) {
    assertThrows(() => paths(`1.0\tM\tF\t${path}\n`), LayerfsError, "zfs diff");
  }
});
