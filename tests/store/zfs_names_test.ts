import { assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { NO_TRAITS } from "../../src/layer/traits.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import { containerId, DatasetNames, isStagedName } from "../../src/store/zfs/dataset_names.ts";
import { Staging } from "../../src/store/staging.ts";
import { readRecord, recordOptions } from "../../src/store/zfs/layer_properties.ts";
import { parseProperties } from "../../src/store/zfs/properties.ts";
import { findBrokenLayers, findStrays } from "../../src/store/zfs/strays.ts";
import { ZfsDriver } from "../../src/store/zfs/zfs_driver.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const C = "c".repeat(128);

const RECORD: LayerRecord = {
  chainId: `sha256:${A}` as Digest,
  diffId: `sha256:${B}` as Digest,
  parent: `sha512:${C}` as Digest,
  traits: { ...NO_TRAITS, rawNames: true, directoryXattrs: true },
};

/** The properties that `zfs snapshot` with these options would set. */
function set(record: LayerRecord): Map<string, string> {
  const values = recordOptions(record).filter((option) => option !== "-o");
  return new Map(values.map((value) => {
    const equals = value.indexOf("=");
    return [value.slice(0, equals), value.slice(equals + 1)];
  }));
}

Deno.test("datasets that can hold a store, and those that cannot", () => {
  const deepest = `p${"/a".repeat(47)}`;
  const longest = `p/${"a".repeat(111)}`;
  for (const good of ["tank", "tank/layerfs", "tank/a b/c-d_e.f:g", deepest, longest]) {
    assertEquals(new DatasetNames(good).layers, `${good}/layers`);
  }
  const bad = ["", "/tank", "tank/", "tank//a", "-r", "tank/a@b", "tank/a#b", "tank/a%b", "tank/.."]
    .concat(["tank/.", "1tank", "tank/ä", "tank/a\nb", `${deepest}/a`, `${longest}a`]);
  for (const name of bad) {
    const error = assertThrows(() => new DatasetNames(name), LayerfsError);
    assertEquals([name, error.code], [name, "usage"]);
  }
});

Deno.test("the longest name of a dataset is one that ZFS takes", () => {
  const names = new DatasetNames(`p/${"a".repeat(111)}`);
  assertEquals(names.snapshot(`sha512:${C}` as Digest).length, 255);
});

Deno.test("the path of a store must be one line", () => {
  const error = assertThrows(() => new ZfsDriver("/a\nb", "tank"), LayerfsError);
  assertEquals(error.code, "usage");
});

Deno.test("every id of a container has a dataset's name, and comes back from it", () => {
  const names = new DatasetNames("tank");
  assertEquals(names.container("a+b.c_d-e+"), "tank/containers/a:b.c_d-e:");
  assertEquals(containerId("a:b.c_d-e:"), "a+b.c_d-e+");
});

Deno.test("names of work in progress are those that layerfs gives, and no others", async () => {
  const parent = await Deno.makeTempDir();
  {
    await using staging = Staging.create(parent);
    assertEquals(isStagedName(staging.name), true);
  }
  await Deno.remove(parent);
  const deferred = new DatasetNames("t").deferred().slice("t/staging/".length);
  assertEquals(isStagedName(deferred), true);
  for (const name of ["", "..", "mine", `${deferred}0`, `a${deferred}`, `${deferred}/child`]) {
    assertEquals([name, isStagedName(name)], [name, false]);
  }
});

Deno.test("a record comes back from properties as it was", () => {
  for (const record of [RECORD, { ...RECORD, parent: null, traits: NO_TRAITS }]) {
    assertEquals(readRecord(A, set(record)), record);
    assertEquals(readRecord(A, set(record).set("defer_destroy", "off")), record);
  }
});

Deno.test("what is no whole layer is not taken for one", () => {
  assertEquals(typeof readRecord(A, undefined), "string");
  assertEquals(typeof readRecord(B, set(RECORD)), "string");
  assertEquals(typeof readRecord(A, set(RECORD).set("defer_destroy", "on")), "string");
  for (const property of set(RECORD).keys()) {
    for (const value of ["-", "", "x"]) {
      const what = [property, value, typeof readRecord(A, set(RECORD).set(property, value))];
      assertEquals(what, [property, value, "string"]);
    }
  }
});

Deno.test("the output of zfs get is read", () => {
  const text = "tank/a b\tused\t1024\t-\ntank/a b\tmountpoint\t/m\tinherited from tank\n" +
    "tank/a b\torg.x:y\t1\tinherited from tank\ntank/c@layer\torg.x:y\ta\tb\tlocal\n\n";
  assertEquals(
    parseProperties(text),
    new Map([
      ["tank/a b", new Map([["used", "1024"], ["mountpoint", "/m"], ["org.x:y", "-"]])],
      ["tank/c@layer", new Map([["org.x:y", "a\tb"]])],
    ]),
  );
  assertEquals(parseProperties(""), new Map());
});

Deno.test("strays: litter, containers and broken layers; what waits or is foreign is none", () => {
  const names = new DatasetNames("t");
  const none = new Map<string, string>();
  const dead = "dead".repeat(4);
  const all = new Map([
    ["t/layers", none],
    [`t/layers/${A}`, none],
    [`t/layers/${A}@layer`, set(RECORD)],
    [`t/layers/${A}@other`, none],
    [`t/layers/${B}`, none],
    ["t/containers", none],
    ["t/containers/x:y", new Map([["mountpoint", "/s/x"], ["org.layerfs:top", `sha256:${A}`]])],
    ["t/containers/x:y/child", none],
    ["t/containers/x:y@mine", none],
    ["t/containers/z", new Map([["mountpoint", "/s/z"], ["org.layerfs:top", "none"]])],
    ["t/containers/foreign", new Map([["mountpoint", "/f"], ["org.layerfs:top", "-"]])],
    ["t/containers/bare", new Map([["mountpoint", "/b"]])],
    ["t/staging", none],
    ...["foreign", "backup-of-deferred-1", "deferred-0", `x${dead}`, `${dead}0`, dead.toUpperCase()]
      .map((name) => [`t/staging/${name}`, none] as const),
    [`t/staging/${dead}`, none],
    [`t/staging/deferred-${"1".repeat(16)}`, none],
    [`t/staging/deferred-${"1".repeat(16)}@layer`, new Map([["defer_destroy", "on"]])],
    [`t/staging/deferred-${"2".repeat(16)}`, none],
    [`t/staging/deferred-${"3".repeat(16)}`, none],
    [`t/staging/deferred-${"3".repeat(16)}@daily`, new Map([["userrefs", "1"]])],
    [`t/staging/deferred-${"4".repeat(16)}`, none],
    [`t/staging/deferred-${"4".repeat(16)}@layer`, new Map([["defer_destroy", "off"]])],
    [`t/staging/deferred-${"4".repeat(16)}@daily`, new Map([["userrefs", "0"]])],
  ]);
  const [cloned, held] = ["1", "3"].map((digit) => `deferred-${digit.repeat(16)}`);
  assertEquals(findStrays(names, all), {
    staging: [dead, `deferred-${"2".repeat(16)}`, `deferred-${"4".repeat(16)}`],
    waiting: [
      {
        name: `${cloned}`,
        detail: `a removed layer waits for what was cloned from "t/staging/${cloned}"`,
      },
      {
        name: `${held}`,
        detail: `a removed layer waits for a hold on a snapshot: see "zfs holds ` +
          `t/staging/${held}@daily", and "zfs release"`,
      },
    ],
    containers: [
      { id: "x+y", rootfs: "/s/x", top: `sha256:${A}` as Digest },
      { id: "z", rootfs: "/s/z", top: null },
    ],
  });
  const reasons = (index: Map<string, unknown>) =>
    findBrokenLayers(names, all, index).map(({ name, reason }) => [name, reason]);
  const noSnapshot = [B, 'it has no snapshot "@layer"'];
  assertEquals(reasons(new Map([[A, {}]])), [noSnapshot]);
  assertEquals(reasons(new Map([["c", {}]])), [
    [A, "the store has no file about it"],
    noSnapshot,
    ["c", "the store has a file about it, and ZFS no dataset"],
  ]);
});
