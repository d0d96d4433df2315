import { assertEquals } from "@std/assert";
import { encodeSparseMap, wholePages } from "../../src/tar/sparse_map.ts";

const regions = (...pairs: [number, number][]) =>
  pairs.map(([offset, length]) => ({ offset, length }));

Deno.test("regions are widened to whole pages, and joined where they meet", () => {
  const size = 50_000;
  const cases: [[number, number][], [number, number][]][] = [
    [[], []],
    [[[0, 0], [size, 0]], []],
    [[[0, 1]], [[0, 4096]]],
    [[[4095, 2]], [[0, 8192]]],
    [[[10, 10], [100, 10], [5000, 1]], [[0, 8192]]],
    [[[0, 4096], [8192, 4096]], [[0, 4096], [8192, 4096]]],
    [[[4095, 1], [8192, 1]], [[0, 4096], [8192, 4096]]],
    [[[49_999, 1]], [[49_152, 848]]],
    [[[0, size]], [[0, size]]],
  ];
  for (const [given, expected] of cases) {
    assertEquals(wholePages(regions(...given), size), regions(...expected));
  }
});

Deno.test("a map has a line a number, the end of the file, and whole blocks", () => {
  const text = (...pairs: [number, number][]) =>
    new TextDecoder().decode(encodeSparseMap(regions(...pairs), 50_000));
  assertEquals(text([0, 4096], [8192, 512]), "3\n0\n4096\n8192\n512\n50000\n0\n".padEnd(512, "\0"));
  assertEquals(text(), "1\n50000\n0\n".padEnd(512, "\0"));
  const many = Array.from({ length: 100 }, (_, i): [number, number] => [i * 8192, 4096]);
  assertEquals(encodeSparseMap(regions(...many), 10_000_000).length, 1536);
});
