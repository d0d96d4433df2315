import { assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Attributes } from "../../src/layer/attributes.ts";
import { encodeOwner, recordOwner, ROOTLESS_XATTR } from "../../src/layer/rootless.ts";

const ATTRIBUTES: Attributes = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1, nanoseconds: 0 },
  xattrs: null,
};

Deno.test("encodeOwner writes the protobuf message of rootlesscontainers.org", () => {
  // As protoc --encode=rootlesscontainers.Resource writes them.
  assertEquals(encodeHex(encodeOwner(1000, 1000)), "08e80710e807");
  assertEquals(encodeHex(encodeOwner(1, 0)), "0801");
  assertEquals(encodeHex(encodeOwner(0, 42)), "102a");
  assertEquals(encodeHex(encodeOwner(65534, 65534)), "08feff0310feff03");
  assertEquals(encodeHex(encodeOwner(4294967294, 127)), "08feffffff0f107f");
});

Deno.test("recordOwner leaves root's files alone and records other owners", () => {
  assertEquals(recordOwner(ATTRIBUTES, "file"), { kept: ATTRIBUTES, dropped: [] });
  const { kept, dropped } = recordOwner({ ...ATTRIBUTES, uid: 1000, gid: 1000 }, "directory");
  assertEquals([...kept.xattrs!.keys()], [ROOTLESS_XATTR]);
  assertEquals(encodeHex(kept.xattrs!.get(ROOTLESS_XATTR)!), "08e80710e807");
  assertEquals(dropped, []);
});

Deno.test("recordOwner keeps user xattrs and names those that need root", () => {
  const value = new Uint8Array([1]);
  const xattrs = new Map([["user.a", value], ["security.capability", value], ["trusted.b", value]]);
  const { kept, dropped } = recordOwner({ ...ATTRIBUTES, xattrs }, "file");
  assertEquals([...kept.xattrs!], [["user.a", value]]);
  assertEquals(dropped, ["security.capability", "trusted.b"]);
});

Deno.test("recordOwner takes no image's word for the owner record", () => {
  const xattrs = new Map([[ROOTLESS_XATTR, new Uint8Array([9])]]);
  const { kept } = recordOwner({ ...ATTRIBUTES, uid: 5, xattrs }, "file");
  assertEquals(encodeHex(kept.xattrs!.get(ROOTLESS_XATTR)!), "0805");
  assertEquals(recordOwner({ ...ATTRIBUTES, xattrs }, "file"), { kept: ATTRIBUTES, dropped: [] });
});

Deno.test("recordOwner gives nothing to what can have no user xattr", () => {
  const xattrs = new Map([["user.a", new Uint8Array([1])]]);
  for (const type of ["symlink", "fifo"] as const) {
    const { kept, dropped } = recordOwner({ ...ATTRIBUTES, uid: 5, xattrs }, type);
    assertEquals(kept.xattrs, null);
    assertEquals(dropped, ["user.a"]);
  }
});
