/** Credential helpers, run with the permissions that deno.json gives layerfs. */

import { assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { FaultyRegistry } from "../registry/faulty_registry.ts";
import { writeHelper } from "../registry/helper_program.ts";
import { withDirectory } from "../source/scratch.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PASSWORD = "open sesame";

/** The options of the task `layerfs`. */
const OF_THE_TASK = /^deno run (.+) src\/cli\/program\.ts$/.exec(config.tasks.layerfs.command)![1]!;

/** How layerfs is started: by the task, and by the named permissions of a command. */
const STARTS: Record<string, (name: string) => string[]> = {
  "the task layerfs": () => OF_THE_TASK.split(" "),
  "the named permissions": (name) => ["--quiet", `-P=${name}`],
};

for (const [start, flags] of Object.entries(STARTS)) {
  Deno.test(`${start}: known credential helpers run, and one that is missing is told`, () =>
    withDirectory(async (dir) => {
      const right = `Basic ${btoa(`alice:${PASSWORD}`)}`;
      await using registry = new FaultyRegistry(({ headers }) =>
        headers.get("authorization") === right ? undefined : new Response("{}", {
          status: 401,
          headers: { "www-authenticate": 'Basic realm="test"' },
        })
      );
      registry.manifest("1", "{}");
      const authfile = `${dir}/auth.json`;
      const keep = (helper: string) =>
        Deno.writeTextFileSync(authfile, JSON.stringify({ credsStore: helper }));
      writeHelper(dir, "docker-credential-pass");
      writeHelper(dir, "docker-credential-unheard-of");
      const run = async (name: string, ...args: string[]) => {
        const line = [`${ROOT}src/cli/program.ts`, "--json", name, `--authfile=${authfile}`];
        const child = new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "--no-prompt",
            `--config=${ROOT}deno.json`,
            ...flags(name),
            ...line,
            ...args,
          ],
          env: { PATH: dir, HOME: dir, XDG_RUNTIME_DIR: dir, NO_COLOR: "1" },
          stdin: "piped",
          stdout: "piped",
          stderr: "piped",
        }).spawn();
        const output = child.output();
        await ReadableStream.from([new TextEncoder().encode(PASSWORD)]).pipeTo(child.stdin);
        const { code, stdout, stderr } = await output;
        assertEquals(new TextDecoder().decode(stderr), "");
        return { code, json: JSON.parse(new TextDecoder().decode(stdout)) };
      };
      const login = (...more: string[]) =>
        run("login", "--tls-verify=false", "--username=alice", "--password-stdin", ...more);
      keep("pass");
      const { code, json } = await login(registry.host);
      assertEquals([code, json.place], [0, "docker-credential-pass"], JSON.stringify(json));
      // What is there is no image: that the registry has shown it is enough.
      registry.asked.length = 0;
      const image = `docker://${registry.host}/team/app:1`;
      const inspected = await run("inspect", "--tls-verify=false", image);
      assertEquals(inspected.json.error.code, "image-invalid");
      assertEquals(registry.asked.at(-1)?.headers.get("authorization"), right);
      const out = await run("logout", registry.host);
      assertEquals([out.code, out.json.removed], [0, ["docker-credential-pass"]]);
      keep("gcloud");
      const missing = await login(registry.host);
      assertEquals([missing.code, missing.json.error.code], [6, "program-missing"]);
      keep("unheard-of");
      const unknown = await login(registry.host);
      const flag = "--allow-run=docker-credential-unheard-of";
      assertEquals([unknown.code, unknown.json.error.flag], [6, flag]);
    }));
}
