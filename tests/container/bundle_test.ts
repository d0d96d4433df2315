import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RuntimeConfig } from "../../src/oci/runtime_spec.ts";
import {
  type Given,
  image,
  MAPS,
  mountAt,
  OWN_ID_ONLY,
  refused,
  withRoot,
} from "./bundle_fixture.ts";

const HAS_RUNC = (() => {
  try {
    return new Deno.Command("runc", { args: ["--version"], stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

/** What `runc spec` writes on this machine. */
async function runcSpec(...flags: string[]): Promise<RuntimeConfig> {
  const cwd = await Deno.makeTempDir();
  try {
    await new Deno.Command("runc", { args: ["spec", ...flags], cwd }).output();
    return JSON.parse(await Deno.readTextFile(`${cwd}/config.json`));
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

const byDestination = (config: RuntimeConfig) =>
  new Map(config.mounts.map((mount) => [mount.destination, mount]));
const namespaces = (config: RuntimeConfig) =>
  new Set(config.linux.namespaces.map(({ type }) => type));

Deno.test({
  name: "the defaults are those of runc spec",
  ignore: !HAS_RUNC,
  fn: () =>
    withRoot(async (build) => {
      const { config } = build();
      const spec = await runcSpec();
      assertEquals(config.linux.maskedPaths, spec.linux.maskedPaths);
      assertEquals(config.linux.readonlyPaths, spec.linux.readonlyPaths);
      assertEquals(config.linux.resources, spec.linux.resources);
      assertEquals(byDestination(config), byDestination(spec));
      assertEquals(namespaces(config), namespaces(spec).add("cgroup"));
      assertEquals(config.process.rlimits, spec.process.rlimits);
      assertEquals(config.process.noNewPrivileges, spec.process.noNewPrivileges);
      assertEquals(config.root, { ...spec.root, readonly: false });
    }),
});

Deno.test({
  name: "the defaults of a rootless container are those of runc spec --rootless",
  ignore: !HAS_RUNC,
  fn: () =>
    withRoot(async (build) => {
      const { config } = build({ rootless: OWN_ID_ONLY, overrides: { network: "host" } });
      const spec = await runcSpec("--rootless");
      assertEquals(namespaces(config), namespaces(spec).add("cgroup"));
      assertEquals(config.linux.resources, undefined);
      for (const [destination, mount] of byDestination(spec)) {
        const sorted = (m = mount) => ({ ...m, options: [...m.options ?? []].sort() });
        assertEquals(sorted(mountAt(config, destination)), sorted(), destination);
      }
      assertEquals(config.linux.uidMappings, OWN_ID_ONLY.uid);
      assertEquals(config.linux.gidMappings, OWN_ID_ONLY.gid);
    }),
});

Deno.test("an image's process is the container's", () =>
  withRoot((build) => {
    const env = ["B=2", "A=1", "B=3"];
    const { config, warnings } = build({
      image: image({ Env: env, WorkingDir: "/srv//app/", User: "web" }),
    });
    const { process } = config;
    assertEquals(config.ociVersion, "1.0.2");
    assertEquals(process.args, ["/bin/app", "serve"]);
    assertEquals(process.cwd, "/srv//app/");
    assertEquals(process.user, { uid: 33, gid: 44, additionalGids: [55, 5000] });
    assertEquals(process.env.slice(0, 3), env);
    assertEquals(process.env.slice(3).sort(), [
      "HOME=/srv",
      "HOSTNAME=demo",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]);
    assertEquals([process.terminal, config.hostname], [false, "demo"]);
    assertEquals(warnings, []);
  }));

Deno.test("a default variable does not take the place of the image's", () =>
  withRoot((build) => {
    const Env = ["PATH=/x", "HOME=", "HOSTNAME=own", "TERM=dumb"];
    const { config } = build({ image: image({ Env }), overrides: { tty: true } });
    assertEquals(config.process.env, Env);
    assert(build({ overrides: { tty: true } }).config.process.env.includes("TERM=xterm"));
  }));

Deno.test("commands and entrypoints take each other's place as in docker", () =>
  withRoot((build) => {
    const args = (given: Given) => build(given).config.process.args;
    assertEquals(args({ command: ["one", "two"] }), ["/bin/app", "one", "two"]);
    assertEquals(args({ overrides: { entrypoint: ["sh"] } }), ["sh"]);
    assertEquals(args({ overrides: { entrypoint: ["sh"] }, command: ["-c", "x"] }), [
      "sh",
      "-c",
      "x",
    ]);
    assertEquals(args({ overrides: { entrypoint: [] }, command: ["ls"] }), ["ls"]);
    assertEquals(args({ image: image({ Entrypoint: [""] }) }), ["serve"]);
    assertEquals(args({ image: null, command: ["ls"] }), ["ls"]);
    refused(() => args({ image: null }), "usage", "no command is given");
    refused(() => args({ image: null, command: [""] }), "usage", "is empty");
    refused(() => args({ overrides: { entrypoint: [] } }), "image-invalid", "names no command");
    refused(() => args({ command: ["a\0b"] }), "usage", "NUL");
  }));

Deno.test("the caller's variables replace the image's where they stand", () =>
  withRoot((build) => {
    const { config } = build({
      image: image({ Env: ["A=1", "B=2", "C=3"] }),
      overrides: { env: ["B=x", "D=4", "D=5=6"] },
    });
    assertEquals(config.process.env.slice(0, 4), ["A=1", "B=x", "C=3", "D=5=6"]);
    refused(() => build({ overrides: { env: ["X"] } }), "usage", "--env", "NAME=VALUE");
  }));

Deno.test("labels and annotations: the caller's win, then labels, then what is implied", () =>
  withRoot((build) => {
    const key = "org.opencontainers.image.os";
    const plain = build({ image: image({ Labels: { l: "1" } }) }).config.annotations;
    assertEquals(plain, {
      [key]: "linux",
      "org.opencontainers.image.architecture": "amd64",
      l: "1",
    });
    const labelled = image({ Labels: { [key]: "label", l: "1" } });
    assertEquals(build({ image: labelled }).config.annotations?.[key], "label");
    const overrides = { labels: { [key]: "mine", m: "2" }, annotations: { l: "3", m: "4" } };
    const merged = build({ image: labelled, overrides }).config.annotations;
    assertEquals([merged?.[key], merged?.l, merged?.m], ["mine", "3", "4"]);
    assertEquals(build({ image: null, command: ["x"] }).config.annotations, undefined);
  }));

Deno.test("labels that runtimes act upon do not come from images (CVE-2026-53488)", () =>
  withRoot((build) => {
    const bad = [
      "containerd.io/restart.loguri",
      "org.systemd.property.ExecStopPost",
      "run.oci.hooks.stdout",
      "org.criu.config",
      "io.kubernetes.cri.container-type",
      "bundle",
      "",
    ];
    const labels = Object.fromEntries([...bad, "good"].map((name) => [name, "v"]));
    const { config, warnings } = build({ image: image({ Labels: labels }) });
    const names = Object.keys(config.annotations ?? {});
    assertEquals(names.filter((name) => bad.includes(name)), []);
    assert(names.includes("good"));
    assertEquals(warnings.length, bad.length);
    const overrides = { annotations: { "run.oci.hooks.stdout": "/mine" } };
    assertEquals(build({ overrides }).config.annotations?.["run.oci.hooks.stdout"], "/mine");
  }));

Deno.test("working directories that lead out are refused (CVE-2024-21626)", () =>
  withRoot(async (build, rootfs) => {
    const cwd = (path: string) => () => build({ image: image({ WorkingDir: path }) });
    await Deno.mkdir(`${rootfs}/opt`);
    await Deno.mkdir(`${rootfs}/proc`);
    await Deno.symlink("/proc/self/fd", `${rootfs}/opt/fds`);
    await Deno.symlink("../proc/self", `${rootfs}/opt/self`);
    await Deno.symlink("opt", `${rootfs}/link`);
    await Deno.symlink("loop", `${rootfs}/loop`);
    await Deno.symlink("/opt", `${rootfs}/proc/self`); // procfs hides it
    await Deno.mkdir(`${rootfs}/dev`);
    await Deno.symlink("/proc/self", `${rootfs}/dev/hidden`); // by a tmpfs
    for (
      const path of [
        "/proc/self/fd/7",
        "/opt/fds/7",
        "/link/fds/8/../..",
        "/opt/self/fd/9",
        "//opt/./fds",
        "/dev/fd/7",
        "/proc/1/cwd",
      ]
    ) {
      refused(cwd(path), "image-invalid", "--workdir");
      refused(() => build({ overrides: { workdir: path } }), "usage", "--workdir");
    }
    refused(cwd("work"), "image-invalid", "WorkingDir");
    refused(() => build({ overrides: { workdir: "work" } }), "usage", "--workdir", "absolute");
    for (
      const path of [
        "",
        "/",
        "/link/new",
        "/loop/x",
        "/procedure",
        "/dev",
        "/dev/hidden/fd",
        "/opt/../srv",
      ]
    ) {
      assertEquals(cwd(path)().config.process.cwd, path || "/");
    }
  }));

Deno.test("a caller's user is looked up, and answered for, as the caller's", () =>
  withRoot((build) => {
    const named = image({ User: "nobody" });
    refused(() => build({ image: named }), "image-invalid", '"nobody"');
    refused(() => build({ overrides: { user: "other" } }), "usage", '"other"');
    assertEquals(build({ image: named, overrides: { user: "33:1" } }).config.process.user, {
      uid: 33,
      gid: 1,
    });
  }));

Deno.test("limits, read-only, host name and network", () =>
  withRoot((build) => {
    const { config } = build({
      overrides: {
        memory: 64 * 2 ** 20,
        cpus: 1.5,
        pidsLimit: 50,
        readonly: true,
        hostname: "web-1",
        network: "host",
      },
    });
    assertEquals(config.linux.resources, {
      devices: [{ allow: false, access: "rwm" }],
      memory: { limit: 67108864 },
      cpu: { quota: 150000, period: 100000 },
      pids: { limit: 50 },
    });
    assertEquals([config.root.readonly, config.hostname], [true, "web-1"]);
    assert(!namespaces(config).has("network"));
    assertEquals(mountAt(config, "/etc/hosts")?.source, "/etc/hosts");
    assertEquals(mountAt(build().config, "/etc/hosts"), undefined);
    assertEquals(build({ overrides: { pidsLimit: -1 } }).config.linux.resources?.pids, undefined);
    for (const hostname of ["", "-x", "a b", "x".repeat(65), "a/b"]) {
      refused(() => build({ overrides: { hostname } }), "usage", "--hostname");
    }
  }));

Deno.test("a rootless container has the ids that are mapped, and no limits", () =>
  withRoot((build) => {
    const web = image({ User: "web" });
    const { config, warnings } = build({
      image: web,
      rootless: MAPS,
      overrides: { memory: 1, cpus: 1, pidsLimit: 1 },
    });
    assertEquals(config.process.user, { uid: 33, gid: 44, additionalGids: [55] });
    assertEquals(config.linux.resources, undefined);
    assertEquals(warnings.length, 2);
    assertStringIncludes(warnings.join(), "--memory, --cpus, --pids-limit");
    assertStringIncludes(warnings.join(), "5000");
    assert(mountAt(config, "/dev/pts")?.options?.includes("gid=5"));
    assertEquals(mountAt(config, "/sys")?.type, "sysfs");
    refused(() => build({ image: web, rootless: OWN_ID_ONLY }), "privilege-missing", "user 33");
  }));

Deno.test("the config is JSON that says no more than it has", () =>
  withRoot((build) => {
    const { config } = build();
    assertEquals(JSON.parse(JSON.stringify(config)), config);
  }));
