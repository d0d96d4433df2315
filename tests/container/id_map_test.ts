import { assertEquals } from "@std/assert";
import {
  currentIdMaps,
  isMapped,
  mapIds,
  parseSubordinateIds,
} from "../../src/container/id_map.ts";

const FILE = [
  "other:500000:65536",
  "me:100000:65536",
  "# me:1:2",
  "1000:300000:1000",
  "me:abc:5",
  "me:1:",
  "me:700000:0",
  "me:4294967000:5000",
  "me:-5:10",
  "me:200000:10 ",
].join("\n");

Deno.test("subordinate ids are those of the user's name and number, in order", () => {
  assertEquals(parseSubordinateIds(FILE, ["me", "1000"]), [
    { start: 100000, count: 65536 },
    { start: 300000, count: 1000 },
    { start: 200000, count: 10 },
  ]);
  assertEquals(parseSubordinateIds(FILE, ["nobody", "65534"]), []);
  assertEquals(parseSubordinateIds("", ["me"]), []);
});

Deno.test("the last id that a range may have is 2^32-2", () => {
  assertEquals(parseSubordinateIds("me:4294967285:10", ["me"]).length, 1);
  assertEquals(parseSubordinateIds("me:4294967286:10", ["me"]).length, 0);
});

Deno.test("the own id is root, the ranges follow each other", () => {
  assertEquals(mapIds(1000, [{ start: 100000, count: 65536 }, { start: 300000, count: 10 }]), [
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 1, hostID: 100000, size: 65536 },
    { containerID: 65537, hostID: 300000, size: 10 },
  ]);
});

Deno.test("no host id is mapped twice", () => {
  const ranges = [
    { start: 900, count: 200 }, // has 1000 in it
    { start: 2000, count: 100 },
    { start: 2099, count: 1 },
    { start: 2100, count: 1 },
    { start: 1001, count: 1 },
  ];
  assertEquals(mapIds(1000, ranges).map(({ hostID }) => hostID), [1000, 2000, 2100, 1001]);
});

Deno.test("an id is mapped from the first to the last of a range", () => {
  const maps = mapIds(1000, [{ start: 100000, count: 10 }]);
  assertEquals([0, 1, 10, 11].map((id) => isMapped(maps, id)), [true, true, true, false]);
});

Deno.test("the current user's own ids are the container's root", () => {
  const { maps, warnings } = currentIdMaps();
  assertEquals(maps.uid[0], { containerID: 0, hostID: Deno.uid() ?? -1, size: 1 });
  assertEquals(maps.gid[0], { containerID: 0, hostID: Deno.gid() ?? -1, size: 1 });
  assertEquals(warnings.length, maps.uid.length > 1 ? 0 : 1);
});
