import { assertEquals } from "@std/assert";

const read = (name: string) =>
  JSON.parse(Deno.readTextFileSync(new URL(`../${name}`, import.meta.url))) as {
    imports: Record<string, string>;
  };

Deno.test("deno.jsr.json maps every name of deno.json, and @std to JSR", () => {
  const [npm, jsr] = [read("deno.json").imports, read("deno.jsr.json").imports];
  assertEquals(Object.keys(jsr).sort(), Object.keys(npm).sort());
  for (const [name, target] of Object.entries(jsr)) {
    assertEquals(target.startsWith("jsr:@std/"), name.startsWith("@std/"), name);
    if (!name.startsWith("@std/")) assertEquals(target, npm[name]);
  }
});
