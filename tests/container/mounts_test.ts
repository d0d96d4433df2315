import { assert, assertEquals } from "@std/assert";
import { image, mountAt, refused, withRoot } from "./bundle_fixture.ts";

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
