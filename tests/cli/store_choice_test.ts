import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parse } from "../../src/cli/parse.ts";
import { chooseStore } from "../../src/cli/store_choice.ts";
import { LayerfsError } from "../../src/errors.ts";
import { FakeIo } from "./fake_io.ts";

/** Chooses with options and environment. */
function choose(options: string[], variables: Record<string, string>, userId = 1000) {
  const io = new FakeIo();
  io.variables = variables;
  io.userId = userId;
  return { choice: chooseStore(parse([...options, "ps"]).globals, io), asked: io.asked };
}

Deno.test("options win over the environment, and it over the defaults", () => {
  const variables = {
    LAYERFS_STORE: "/env/store",
    LAYERFS_DRIVER: "overlay",
    LAYERFS_DATASET: "tank/env",
  };
  assertEquals(choose([], variables).choice, {
    store: "/env/store",
    driver: "overlay",
    dataset: "tank/env",
    engine: "wasm",
  });
  const options = ["--store=/opt/store", "--driver=zfs", "--dataset=tank/opt"];
  const { choice, asked } = choose([...options, "--digest-engine=native"], variables);
  assertEquals(choice, {
    store: "/opt/store",
    driver: "zfs",
    dataset: "tank/opt",
    engine: "native",
  });
  assertEquals(asked, []);
});

Deno.test("the default store is root's or the user's own", () => {
  assertEquals(choose([], {}, 0).choice, {
    store: "/var/lib/layerfs",
    driver: "auto",
    engine: "wasm",
  });
  const store = (variables: Record<string, string>) => choose([], variables).choice.store;
  assertEquals(store({ HOME: "/home/me" }), "/home/me/.local/share/layerfs");
  assertEquals(store({ HOME: "/home/me", XDG_DATA_HOME: "/data" }), "/data/layerfs");
  // The XDG specification has relative paths ignored.
  assertEquals(store({ HOME: "/home/me", XDG_DATA_HOME: "data" }), "/home/me/.local/share/layerfs");
  assertStringIncludes(assertThrows(() => store({}), LayerfsError).message, "--store DIR");
});

Deno.test("a variable set to nothing is not set", () => {
  assertEquals(choose([], { LAYERFS_STORE: "", LAYERFS_DRIVER: "", HOME: "/h" }).choice, {
    store: "/h/.local/share/layerfs",
    driver: "auto",
    engine: "wasm",
  });
});

Deno.test("a store is an absolute path from here on", () => {
  assertEquals(choose(["--store", "x/../y"], {}).choice.store, `${Deno.cwd()}/y`);
});

Deno.test("a driver that there is not is refused, and the variable named", () => {
  const error = assertThrows(() => choose([], { LAYERFS_DRIVER: "zsf", HOME: "/h" }), LayerfsError);
  assertEquals(error.code, "usage");
  assertStringIncludes(error.message, 'Cannot use LAYERFS_DRIVER with "zsf"');
  assertStringIncludes(error.message, 'did you mean "zfs"?');
});
