import { assertEquals, assertStringIncludes } from "@std/assert";

const HARNESS = new URL("./runtime_harness.ts", import.meta.url).pathname;

/** Directories of one test: programs for PATH, a bundle, a session. */
interface Place {
  readonly bin: string;
  readonly bundle: string;
  readonly session: string;
  /** Makes a program of this name that runs a shell script. */
  readonly program: (name: string, script: string) => void;
  /** What the harness prints, parsed where it is JSON. */
  readonly harness: (args: string[], allowRun?: string) => Promise<unknown>;
}

async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const [bin, bundle, session] = [`${dir}/bin`, `${dir}/bundle`, `${dir}/session`];
  for (const path of [bin, bundle, session]) await Deno.mkdir(path);
  const program = (name: string, script: string) =>
    Deno.writeTextFileSync(`${bin}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const harness = async (args: string[], allowRun = "runc,crun") => {
    const flags = [`--allow-run=${allowRun}`, "--allow-read", "--allow-env=XDG_RUNTIME_DIR"];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-sys=uid", ...flags, HARNESS, ...args],
      env: { PATH: bin, XDG_RUNTIME_DIR: session },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    if (text === "") throw new Error(new TextDecoder().decode(stderr));
    return text.startsWith("args:") ? text : JSON.parse(text);
  };
  try {
    await use({ bin, bundle, session, program, harness });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const code = (result: unknown) => (result as { error: { code: string } }).error.code;
const message = (result: unknown) => (result as { error: { message: string } }).error.message;

Deno.test("runc comes first, then crun, then none", () =>
  withPlace(async ({ bin, program, harness }) => {
    const none = await harness(["find"]);
    assertEquals(code(none), "program-missing");
    assertStringIncludes(message(none), "neither runc nor crun");
    program("crun", "exit 0");
    assertEquals(await harness(["find"]), "crun");
    const missing = await harness(["find", "runc"]);
    assertEquals(code(missing), "program-missing");
    assertStringIncludes(message(missing), "apt install runc");
    program("runc", "exit 0");
    assertEquals(await harness(["find"]), "runc");
    assertEquals(await harness(["find", "crun"]), "crun");
    await Deno.remove(`${bin}/crun`);
    program("runc", "echo broken >&2; exit 1");
    const broken = await harness(["find", "runc"]);
    assertStringIncludes(message(broken), "broken");
    program("crun", "exit 0");
    assertEquals(await harness(["find"]), "crun");
  }));

Deno.test("a runtime that Deno may not run is named with its flag, if there is no other", () =>
  withPlace(async ({ program, harness }) => {
    program("runc", "exit 0");
    const denied = await harness(["find"], "tar");
    assertEquals(code(denied), "permission-missing");
    assertStringIncludes(message(denied), "--allow-run=runc");
    program("crun", "exit 0");
    assertEquals(await harness(["find"], "crun"), "crun");
  }));

Deno.test("a bundle is run in the foreground, and the runtime's status is the result", () =>
  withPlace(async ({ bundle, session, program, harness }) => {
    program("runc", 'echo "args:$*:"; exit 42');
    const root = Deno.uid() === 0 ? "" : `--root ${session}/runc `;
    assertEquals(
      await harness(["run", "my-id", bundle]),
      `args:${root}run --bundle ${bundle} my-id:\n42`,
    );
  }));

Deno.test("a terminal that is asked for must be there", () =>
  withPlace(async ({ harness }) => {
    const result = await harness(["tty"]);
    assertEquals(code(result), "usage");
    assertStringIncludes(message(result), "--tty");
  }));

/** A runtime that knows `my-id` with this bundle, and answers `delete` with this script. */
function knows(bundle: string, onDelete = "exit 0", status = "running"): string {
  const state = JSON.stringify({ id: "my-id", status, bundle, pid: 77 });
  return `case "$*" in *"delete --force my-id") ${onDelete};; *"state my-id") echo '${state}';; ` +
    '*) echo "container does not exist" >&2; exit 1;; esac';
}

Deno.test("a container is found by its id and its bundle", () =>
  withPlace(async ({ bundle, program, harness }) => {
    const found = { runtime: "runc", status: "running", pid: 77 };
    const find = async (id: string, path: string) => {
      const result = await harness(["running", id, path]) as Record<string, unknown> | null;
      return result === null ? null : (({ stateRoot: _, ...rest }) => rest)(result);
    };
    assertEquals(await find("my-id", bundle), null); // no runtime at all
    program("runc", knows(bundle));
    assertEquals(await find("my-id", bundle), found);
    assertEquals(await find("other", bundle), null);
    await Deno.symlink(bundle, `${bundle}-link`);
    assertEquals(await find("my-id", `${bundle}-link`), found);
    assertEquals(await find("my-id", "/"), null);
    program("runc", knows("/gone/long/ago"));
    assertEquals(await find("my-id", bundle), null);
    program("crun", knows(bundle, "", "stopped"));
    assertEquals(await find("my-id", bundle), { runtime: "crun", status: "stopped", pid: 77 });
  }));

Deno.test("a runtime that does not say whether it knows a container is not taken for a no", () =>
  withPlace(async ({ bundle, program, harness }) => {
    program("runc", "echo 'state is damaged' >&2; exit 1");
    const result = await harness(["running", "my-id", bundle]);
    assertStringIncludes(message(result), "state is damaged");
    program("runc", "exit 0");
    const denied = await harness(["running", "my-id", bundle], "crun");
    assertEquals(code(denied), "permission-missing");
    // crun 1.8, and a session directory of somebody else.
    for (const words of ["error opening file: No such file or directory", "Permission denied"]) {
      program("runc", `echo '${words}' >&2; exit 1`);
      assertEquals(await harness(["running", "my-id", bundle]), null);
    }
  }));

Deno.test("a container is stopped by the runtime that has it", () =>
  withPlace(async ({ bundle, program, harness }) => {
    program("runc", knows("/other/bundle", "exit 9"));
    program("crun", knows(bundle, `: >${bundle}/deleted`));
    assertEquals(await harness(["stop", "my-id", bundle]), "running");
    assertEquals(await Deno.readTextFile(`${bundle}/deleted`), "");
    program("crun", knows(bundle, "echo stuck >&2; exit 1"));
    const result = await harness(["stop", "my-id", bundle]);
    assertEquals(code(result), "busy");
    assertStringIncludes(message(result), "stuck");
  }));
