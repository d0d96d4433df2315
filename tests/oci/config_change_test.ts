import { assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { changeConfig } from "../../src/oci/config_change.ts";

Deno.test("instructions change a config as a Dockerfile does", () => {
  const config = { Env: ["A=1", "B=2"], Labels: { a: "1" }, Cmd: ["x"], Kept: true };
  assertEquals(
    changeConfig(config, [
      'cmd ["sh", "-c", "a b"]',
      "ENTRYPOINT run me",
      "ENV A=3",
      "ENV C two words",
      'LABEL b="quoted value"',
      "USER 1:2",
      "WORKDIR /w",
      "STOPSIGNAL SIGINT",
      "EXPOSE 80 53/udp",
      'VOLUME ["/a b"]',
      "VOLUME /c /d",
    ]),
    {
      Env: ["B=2", "A=3", "C=two words"],
      Labels: { a: "1", b: "quoted value" },
      Cmd: ["sh", "-c", "a b"],
      Entrypoint: ["/bin/sh", "-c", "run me"],
      Kept: true,
      User: "1:2",
      WorkingDir: "/w",
      StopSignal: "SIGINT",
      ExposedPorts: { "80/tcp": {}, "53/udp": {} },
      Volumes: { "/a b": {}, "/c": {}, "/d": {} },
    },
  );
  assertEquals(config.Env, ["A=1", "B=2"]);
});

Deno.test("what is no such instruction is refused", () => {
  for (const change of ["RUN x", "CMD", "", "ENV =x", "SHELL []", "constructor x"]) {
    assertThrows(() => changeConfig({}, [change]), LayerfsError, "--change");
  }
});
