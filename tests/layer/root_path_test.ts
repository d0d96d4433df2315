import { assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { lstatOrNull } from "../../src/files.ts";
import { resolveDirectory, resolveInRoot } from "../../src/layer/root_path.ts";

/** Makes a root: a value is a symlink's target, null a directory, "" a file. */
async function withRoot(
  entries: Record<string, string | null>,
  body: (root: string) => void,
): Promise<void> {
  const outer = await Deno.makeTempDir({ prefix: "layerfs-root-path-" });
  const root = `${outer}/root`;
  try {
    await Deno.mkdir(root);
    await Deno.mkdir(`${outer}/secret`);
    for (const [path, target] of Object.entries(entries)) {
      if (target === null) await Deno.mkdir(`${root}/${path}`, { recursive: true });
      else if (target === "") await Deno.writeTextFile(`${root}/${path}`, "");
      else await Deno.symlink(target, `${root}/${path}`);
    }
    body(root);
  } finally {
    await Deno.remove(outer, { recursive: true });
  }
}

const ENTRIES = {
  "usr/lib": null,
  "etc": null,
  "file": "",
  "lib": "usr/lib",
  "absolute": "/usr/lib",
  "up": "../../../../secret",
  "usr/out": "../../secret",
  "chain": "lib",
  "loop": "loop",
  "ping": "pong",
  "pong": "ping",
  "self": ".",
  "dangling": "/no/where",
  "etc/passwd": "/../../../../../etc/shadow",
};

const fail = {
  missing(path: string) {
    throw new Error(`missing ${path}`);
  },
};

Deno.test("resolveDirectory follows symlinks within the root", async () => {
  await withRoot(ENTRIES, (root) => {
    const cases: Record<string, string> = {
      "": "",
      "usr/lib": "usr/lib",
      "./usr//lib/.": "usr/lib",
      "lib": "usr/lib",
      "absolute": "usr/lib",
      "chain": "usr/lib",
      "self/self/usr": "usr",
      "usr/../usr": "usr",
      "lib/..": "usr",
      "../../..": "",
    };
    for (const [path, expected] of Object.entries(cases)) {
      assertEquals(resolveDirectory(root, path, fail), expected, path);
    }
  });
});

Deno.test("resolveDirectory never leaves the root", async () => {
  await withRoot(ENTRIES, (root) => {
    for (const path of ["up", "usr/out", "up/../up"]) {
      const missing: string[] = [];
      const walk = {
        missing(relative: string) {
          missing.push(relative);
          Deno.mkdirSync(`${root}/${relative}`);
        },
      };
      assertEquals(resolveDirectory(root, path, walk), "secret", path);
      for (const relative of missing) assertEquals(relative, "secret");
    }
    assertEquals([...Deno.readDirSync(`${root}/../secret`)].length, 0);
  });
});

Deno.test("resolveDirectory refuses loops and files on the way", async () => {
  await withRoot(ENTRIES, (root) => {
    for (const path of ["loop", "ping", "loop/x"]) {
      assertThrows(() => resolveDirectory(root, path, fail), LayerfsError, "40 symbolic links");
    }
    for (const path of ["file", "file/x"]) {
      assertThrows(() => resolveDirectory(root, path, fail), LayerfsError, "is not a directory");
    }
  });
});

Deno.test("resolveInRoot follows the last component, and takes what is missing as named", async () => {
  await withRoot(ENTRIES, (root) => {
    const cases: Record<string, string> = {
      "/": "",
      "file": "/file",
      "/etc/passwd": "/etc/shadow",
      "lib/x": "/usr/lib/x",
      "dangling": "/no/where",
      "no/such/file": "/no/such/file",
      "up": "/secret",
      "lib/..": "/usr",
      "..": "",
      "chain": "/usr/lib",
    };
    for (const [path, expected] of Object.entries(cases)) {
      assertEquals(resolveInRoot(root, path), root + expected, path);
    }
    for (const path of ["loop", "ping", "loop/x"]) {
      assertThrows(() => resolveInRoot(root, path), LayerfsError, "40 symbolic links");
    }
  });
});

Deno.test("lstatOrNull tells a symlink from its target, and nothing from an error", async () => {
  await withRoot(ENTRIES, (root) => {
    assertEquals(lstatOrNull(`${root}/dangling`)?.isSymlink, true);
    assertEquals(lstatOrNull(`${root}/none`), null);
    assertEquals(lstatOrNull(`${root}/file/below`), null);
    assertThrows(() => lstatOrNull(`${root}/${"x".repeat(300)}`), LayerfsError, "longer than");
  });
});
