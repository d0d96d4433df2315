import { assertEquals } from "@std/assert";
import { createStyle } from "../../src/cli/style.ts";
import { formatFacts, formatTable } from "../../src/cli/table.ts";

Deno.test("columns are as wide as their widest cell, and no line ends in blanks", () => {
  const rows = [["web", "1 MB", "/a"], ["database", "2", ""]];
  assertEquals(
    formatTable(["ID", "SIZE", "BUNDLE"], rows),
    "ID        SIZE  BUNDLE\n" +
      "web       1 MB  /a\n" +
      "database  2\n",
  );
});

Deno.test("a table without rows is its head", () => {
  assertEquals(formatTable(["ID", "SIZE"], []), "ID  SIZE\n");
});

Deno.test("cells are cleaned before they are measured", () => {
  assertEquals(formatTable(["A", "B"], [["\x1b", "x"]]), "A       B\n\\u001b  x\n");
});

Deno.test("colours do not move columns", () => {
  const plain = formatTable(["A", "B"], [["aa", "b"]]);
  const bold = formatTable(
    ["A", "B"],
    [["aa", "b"]],
    createStyle(true),
    (cell) => `\x1b[1m${cell}`,
  );
  // deno-lint-ignore no-control-regex -- these are what the test is about
  assertEquals(bold.replace(/\x1b\[\d+m/g, ""), plain);
});

Deno.test("facts are aligned, nested ones indented, lists one item a line", () => {
  const facts = {
    store: "/s",
    driver: { name: "zfs", reason: null },
    ready: true,
    programs: ["tar", "runc"],
    none: [],
    gone: undefined,
  };
  assertEquals(
    formatFacts(facts),
    "store:     /s\n" +
      "driver:\n  name:    zfs\n  reason:  -\n" +
      "ready:     yes\n" +
      "programs:\n  tar\n  runc\n" +
      "none: -\n",
  );
});
