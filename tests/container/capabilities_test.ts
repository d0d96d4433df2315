import { assert, assertEquals } from "@std/assert";
import type { Overrides } from "../../src/container/overrides.ts";
import { refused, withRoot } from "./bundle_fixture.ts";

Deno.test("capabilities: podman's for root, none but the named for others", () =>
  withRoot((build) => {
    const sets = (overrides: Partial<Overrides>) => {
      const found = build({ overrides }).config.process.capabilities;
      assert(found !== undefined);
      return found;
    };
    const root = sets({});
    assertEquals(root.bounding.length, 11);
    assertEquals([root.effective, root.permitted], [root.bounding, root.bounding]);
    assertEquals([root.ambient, root.inheritable], [[], []]);
    assertEquals(sets({ capDrop: ["all"] }).bounding, []);
    assertEquals(sets({ capDrop: ["ALL"], capAdd: ["kill", "CAP_SYS_TIME"] }).effective, [
      "CAP_KILL",
      "CAP_SYS_TIME",
    ]);
    const all = sets({ capAdd: ["ALL"], capDrop: ["cap_sys_admin"] }).bounding;
    assertEquals([all.length, all.includes("CAP_SYS_ADMIN")], [40, false]);
    const other = sets({ user: "33", capAdd: ["NET_BIND_SERVICE"] });
    assertEquals(other.bounding.length, 11);
    for (const set of [other.effective, other.permitted, other.ambient, other.inheritable]) {
      assertEquals(set, ["CAP_NET_BIND_SERVICE"]);
    }
    assertEquals(sets({ user: "33", capAdd: ["ALL"] }).ambient, []);
    refused(() => sets({ capAdd: ["SYS_ADMN"] }), "usage", "did you mean CAP_SYS_ADMIN?");
    refused(() => sets({ capAdd: ["KILL"], capDrop: ["CAP_KILL"] }), "usage", "CAP_KILL");
  }));
