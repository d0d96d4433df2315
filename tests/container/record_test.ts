import { assert, assertEquals, assertThrows } from "@std/assert";
import { type ContainerRecord, formatRecord, readRecord } from "../../src/container/record.ts";
import { LayerfsError } from "../../src/errors.ts";
import { parseDigest } from "../../src/oci/digest.ts";

const DIGEST = parseDigest(`sha256:${"0".repeat(64)}`);

const RECORD: ContainerRecord = {
  version: 1,
  id: "web",
  created: "2026-01-02T03:04:05.678Z",
  driver: "overlay",
  source: "image",
  top: DIGEST,
  image: {
    reference: "oci:hello",
    digest: null,
    configDigest: DIGEST,
    chainId: DIGEST,
    platform: "linux/amd64",
  },
};

/** Reads a bundle whose record is `text`. */
function read(text: string): ContainerRecord | null {
  const bundle = Deno.makeTempDirSync({ prefix: "layerfs-record-" });
  try {
    Deno.writeTextFileSync(`${bundle}/layerfs.json`, text);
    return readRecord(bundle);
  } finally {
    Deno.removeSync(bundle, { recursive: true });
  }
}

Deno.test("a record is read as it was written", () => {
  for (const record of [RECORD, { ...RECORD, image: null, top: null, source: "rootfs" } as const]) {
    assertEquals(read(formatRecord(record)), record);
  }
});

Deno.test("a damaged record is named, whatever is wrong with it", () => {
  const { id: _id, ...nameless } = RECORD;
  const { image: _image, ...imageless } = RECORD;
  const wrong: unknown[] = [null, [], 1, "x", {}, nameless, imageless];
  const members = { version: [0, null, "1"], id: [1, "../x"], created: [null, "soon"] };
  const more = { driver: ["ext4", null], source: [null], top: ["x", undefined], image: [[], {}] };
  for (const [name, values] of Object.entries({ ...members, ...more })) {
    for (const value of values) wrong.push({ ...RECORD, [name]: value });
  }
  wrong.push({ ...RECORD, image: { ...RECORD.image, configDigest: null } });
  for (const text of ["", "{", ...wrong.map((value) => JSON.stringify(value))]) {
    const error = assertThrows(() => read(text), LayerfsError, 'layerfs.json": it is damaged; ');
    assertEquals(error.code, "storage", text);
    assert(error.message.includes("rm --force"), text);
  }
});

Deno.test("a record of a later version is refused", () => {
  const error = assertThrows(() => read('{"version":2}'), LayerfsError, "update layerfs");
  assertEquals(error.code, "unsupported");
});
