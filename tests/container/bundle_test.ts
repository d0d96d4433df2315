import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { buildRuntimeConfig, type BundleRequest } from "../../src/container/bundle.ts";
import type { IdMaps } from "../../src/container/id_map.ts";
import { NO_OVERRIDES, type Overrides } from "../../src/container/overrides.ts";
import { type ErrorCode, LayerfsError } from "../../src/errors.ts";
import { parseConfig } from "../../src/oci/config.ts";
import type { RuntimeConfig } from "../../src/oci/runtime_spec.ts";

const HAS_RUNC = (() => {
  try {
    return new Deno.Command("runc", { args: ["--version"], stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

const MAPS: IdMaps = {
  uid: [{ containerID: 0, hostID: 1000, size: 1 }, { containerID: 1, hostID: 100000, size: 100 }],
  gid: [{ containerID: 0, hostID: 1000, size: 1 }, { containerID: 1, hostID: 100000, size: 100 }],
};
const OWN_ID_ONLY: IdMaps = { uid: MAPS.uid.slice(0, 1), gid: MAPS.gid.slice(0, 1) };

/** An image config with this `config` member. */
function image(config: Record<string, unknown> = {}, top: Record<string, unknown> = {}) {
  return parseConfig(new TextEncoder().encode(JSON.stringify({
    os: "linux",
    architecture: "amd64",
    rootfs: { type: "layers", diff_ids: ["sha256:" + "0".repeat(64)] },
    ...top,
    config: { Entrypoint: ["/bin/app"], Cmd: ["serve"], ...config },
  })));
}

interface Given extends Partial<Omit<BundleRequest, "overrides" | "rootfs">> {
  overrides?: Partial<Overrides>;
}

/** A root filesystem of its own for one test, and what is built with it. */
async function withRoot(
  use: (
    build: (given?: Given) => ReturnType<typeof buildRuntimeConfig>,
    rootfs: string,
  ) => void | Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const rootfs = `${dir}/rootfs`;
  try {
    await Deno.mkdir(`${rootfs}/etc`, { recursive: true });
    await Deno.writeTextFile(`${rootfs}/etc/passwd`, "root:x:0:0::/root:\nweb:x:33:44::/srv:\n");
    await Deno.writeTextFile(`${rootfs}/etc/group`, "web:x:44:\nmore:x:55:web\nfar:x:5000:web\n");
    const build = ({ overrides, ...given }: Given = {}) =>
      buildRuntimeConfig({
        image: image(),
        command: [],
        rootless: null,
        id: "demo",
        ...given,
        overrides: { ...NO_OVERRIDES, ...overrides },
        rootfs,
      });
    await use(build, rootfs);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function refused(build: () => unknown, code: ErrorCode, ...says: string[]): void {
  const error = assertThrows(build, LayerfsError);
  assertEquals(error.code, code, error.message);
  for (const text of says) assertStringIncludes(error.message, text);
}

function mountAt(config: RuntimeConfig, destination: string) {
  return config.mounts.find((mount) => mount.destination === destination);
}

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
    for (const path of ["", "/", "/link/new", "/loop/x", "/procedure", "/dev", "/opt/../srv"]) {
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

Deno.test("mount points of the kernel that are symlinks or files are refused (CVE-2026-41579)", () =>
  withRoot(async (build, rootfs) => {
    for (const name of ["dev", "proc", "sys"]) {
      await Deno.symlink("/tmp", `${rootfs}/${name}`);
      refused(() => build(), "image-invalid", `"/${name}"`, "symbolic link");
      await Deno.remove(`${rootfs}/${name}`);
      await Deno.writeTextFile(`${rootfs}/${name}`, "");
      refused(() => build(), "image-invalid", `"/${name}"`, "not a directory");
      await Deno.remove(`${rootfs}/${name}`);
      await Deno.mkdir(`${rootfs}/${name}`);
    }
    build();
  }));

Deno.test("an image's volumes are directories of the bundle", () =>
  withRoot(async (build, rootfs) => {
    await Deno.mkdir(`${rootfs}/data`);
    await Deno.symlink("../../../data", `${rootfs}/link`);
    await Deno.writeTextFile(`${rootfs}/file`, "");
    const Volumes = Object.fromEntries(
      ["/data", "/data/", "new/sub", "/../../up", "/link", "/file", "/sys/fs/cgroup"]
        .map((path) => [path, {}]),
    );
    const { config, volumes, warnings } = build({ image: image({ Volumes }) });
    assertEquals(volumes, [
      { source: "volumes/0", destination: "/data", seed: `${rootfs}/data` },
      { source: "volumes/1", destination: "/new/sub", seed: null },
      { source: "volumes/2", destination: "/up", seed: null },
      { source: "volumes/3", destination: "/link", seed: `${rootfs}/data` },
    ]);
    assertEquals(mountAt(config, "/data"), {
      destination: "/data",
      type: "bind",
      source: "volumes/0",
      options: ["rbind", "rprivate", "rw"],
    });
    assertEquals(mountAt(config, "/sys/fs/cgroup")?.type, "cgroup");
    assertEquals(warnings.length, 2);
    refused(() => build({ image: image({ Volumes: { "/..": {} } }) }), "image-invalid", "the root");
  }));

Deno.test("an image's volume that is a symlink out starts with nothing of the host (CVE-2022-23648)", () =>
  withRoot(async (build, rootfs) => {
    await Deno.symlink("/etc", `${rootfs}/vol`);
    await Deno.symlink("../../../../../../tmp", `${rootfs}/up`);
    const { volumes } = build({ image: image({ Volumes: { "/vol": {}, "/up/x": {} } }) });
    assertEquals(volumes.map(({ seed }) => seed), [`${rootfs}/etc`, null]);
  }));

Deno.test("the caller's mounts take the place of others, parents come first", () =>
  withRoot(async (build, rootfs) => {
    const source = rootfs;
    const { config, volumes } = build({
      image: image({ Volumes: { "/data": {}, "/keep": {}, "/scratch": {} } }),
      overrides: {
        volumes: [
          { source, destination: "/data/deep/er", readonly: true },
          { source, destination: "/data", readonly: false },
        ],
        tmpfs: [
          { destination: "/scratch", options: ["size=1m"] },
          { destination: "/dev/shm", options: ["mode=700"] },
        ],
      },
    });
    assertEquals(volumes.map(({ destination }) => destination), ["/keep"]);
    const destinations = config.mounts.map(({ destination }) => destination);
    assertEquals(new Set(destinations).size, destinations.length);
    destinations.forEach((path, index) =>
      assert(!destinations.slice(index).some((later) => path.startsWith(`${later}/`)), path)
    );
    assertEquals(mountAt(config, "/data")?.options, ["rbind", "rprivate", "rw"]);
    assertEquals(mountAt(config, "/data/deep/er")?.options, ["rbind", "rprivate", "ro"]);
    const tmpfs = ["nosuid", "nodev", "mode=1777", "size=1m"];
    assertEquals(mountAt(config, "/scratch")?.options, tmpfs);
    assertEquals(mountAt(config, "/dev/shm")?.options, ["nosuid", "nodev", "mode=700"]);
    const missing = { source: `${rootfs}/nothing`, destination: "/x", readonly: false };
    refused(() => build({ overrides: { volumes: [missing] } }), "not-found", "nothing");
    await Promise.resolve();
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

Deno.test("the config is JSON that says no more than it has", () =>
  withRoot((build) => {
    const { config } = build();
    assertEquals(JSON.parse(JSON.stringify(config)), config);
  }));
