import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  parseCpus,
  parseEntrypoint,
  parseEnv,
  parseEnvFile,
  parseKeyValue,
  parseNetwork,
  parsePidsLimit,
  parseSize,
  parseTmpfs,
  parseVolume,
} from "../../src/container/overrides.ts";
import { LayerfsError } from "../../src/errors.ts";

/** Fails unless every text is refused as a usage error that names the option and the text. */
function refused(parse: (text: string) => unknown, option: string, texts: string[]): void {
  for (const text of texts) {
    const error = assertThrows(() => parse(text), LayerfsError, undefined, text);
    assertEquals([error.code, error.data.option], ["usage", option]);
    assertStringIncludes(error.message, `--${option} "${text}"`);
  }
}

Deno.test("sizes are whole bytes, in binary multiples", () => {
  const cases = {
    "1": 1,
    "65536": 65536,
    "10b": 10,
    "2k": 2048,
    "1.5m": 1572864,
    "3G": 3 * 2 ** 30,
  };
  for (const [text, bytes] of Object.entries(cases)) assertEquals(parseSize(text, "memory"), bytes);
  assertEquals([parseSize("1KiB", "quota"), parseSize("1mb", "quota")], [1024, 2 ** 20]);
  assertEquals(parseSize("1t", "quota"), 2 ** 40);
  const wrong = [
    "",
    "0",
    "0.1",
    "-1",
    "m",
    "1x",
    "1 m",
    "1e3",
    "0x10",
    "9007199254740993",
    "1mm",
    ".5k",
  ];
  refused((text) => parseSize(text, "memory"), "memory", wrong);
});

Deno.test("CPUs are numbers from 0.01 up", () => {
  assertEquals([parseCpus("2"), parseCpus("0.5"), parseCpus(".25")], [2, 0.5, 0.25]);
  refused(parseCpus, "cpus", ["", "0", "0.001", "-1", "1.", "1e2", "two", "99999999", "NaN"]);
});

Deno.test("limits of processes are positive, or -1", () => {
  assertEquals([parsePidsLimit("1"), parsePidsLimit("-1")], [1, -1]);
  refused(parsePidsLimit, "pids-limit", ["", "0", "-2", "1.5", "x", "99999999999999999999"]);
});

Deno.test("entrypoints are one program, or JSON", () => {
  assertEquals(parseEntrypoint("/bin/my app"), ["/bin/my app"]);
  assertEquals(parseEntrypoint('["sh", "-c"]'), ["sh", "-c"]);
  assertEquals([parseEntrypoint(""), parseEntrypoint("[]")], [[], []]);
  refused(parseEntrypoint, "entrypoint", ["[", "[1]", '["a", null]']);
});

Deno.test("volumes: the source becomes absolute, the destination must be", () => {
  assertEquals(parseVolume("data:/srv/./x//y/", "/home/me"), {
    source: "/home/me/data",
    destination: "/srv/x/y",
    readonly: false,
  });
  assertEquals(parseVolume("/a/../b:/x:ro", "/"), {
    source: "/b",
    destination: "/x",
    readonly: true,
  });
  assertEquals(parseVolume(".:/x:rw", "/home").source, "/home");
  const wrong = ["", "/a", ":/x", "/a:", "/a:x", "/a:/", "/a:/x/..", "/a:/x:rx", "/a:/x:ro:z"];
  refused((text) => parseVolume(text, "/"), "volume", wrong);
});

Deno.test("tmpfs: a destination, and options of tmpfs(5)", () => {
  assertEquals(parseTmpfs("/tmp"), { destination: "/tmp", options: [] });
  assertEquals(parseTmpfs("/run/x:size=64m,,mode=700"), {
    destination: "/run/x",
    options: ["size=64m", "mode=700"],
  });
  refused(parseTmpfs, "tmpfs", ["", "tmp", "/", ":size=1m"]);
});

Deno.test("labels are names with a value or without", () => {
  assertEquals(parseKeyValue("a=b=c", "label"), ["a", "b=c"]);
  assertEquals([parseKeyValue("a", "label"), parseKeyValue("a=", "label")], [["a", ""], ["a", ""]]);
  refused((text) => parseKeyValue(text, "annotation"), "annotation", ["", "=x"]);
});

Deno.test("variables are the caller's where no value is given", () => {
  const lookup = (name: string) => ({ HOME: "/home/me", EMPTY: "" })[name];
  assertEquals(parseEnv("A=b=c", lookup), "A=b=c");
  assertEquals([parseEnv("A=", lookup), parseEnv("EMPTY", lookup)], ["A=", "EMPTY="]);
  assertEquals([parseEnv("HOME", lookup), parseEnv("UNSET", lookup)], ["HOME=/home/me", null]);
  refused((text) => parseEnv(text, lookup), "env", ["", "=x"]);
  assertThrows(() => parseEnv("A=\0", lookup), LayerfsError, "NUL");
});

Deno.test("files of variables have one a line", () => {
  const text = "\uFEFFA=1\r\n\n# B=2\n  C= x y \nHOME\nUNSET\nD='q'";
  const lookup = (name: string) => name === "HOME" ? "/h" : undefined;
  assertEquals(parseEnvFile(text, lookup), ["A=1", "C= x y ", "HOME=/h", "D='q'"]);
  refused((line) => parseEnvFile(line, lookup), "env-file", ["A B=1", "export A=1"]);
});

Deno.test("networks are host and none", () => {
  assertEquals([parseNetwork("host"), parseNetwork("none")], ["host", "none"]);
  refused(parseNetwork, "network", ["", "bridge", "HOST"]);
});
