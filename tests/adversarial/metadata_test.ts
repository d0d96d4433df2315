/** Modes, owners, times, extended attributes, devices, and what an ordinary user gets of them. */

import { assertEquals } from "@std/assert";
import { imageLayout } from "../fixtures/image.ts";
import {
  base256,
  block,
  character,
  dir,
  fifo,
  file,
  hardlink,
  latin1,
  symlink,
  tarball,
} from "../fixtures/tar.ts";
import { d, dev, f, IS_ROOT, l, output, p } from "../fixtures/tree.ts";
import { create, layersBecome, rejectsLayer, withWorkspace } from "./harness.ts";

/** Warnings that only an ordinary user sees. */
function unlessRoot(...warnings: string[]): string[] {
  return IS_ROOT ? [] : warnings;
}

// An ordinary user could not look at what bars its owner.
const MODES = [0o500, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o6711, 0o7777]
  .concat(IS_ROOT ? [0, 0o111, 0o300, 0o4000] : []);
const FILE_MODES = MODES.concat([0o400, 0o444, 0o640]);

for (const [how, pax] of [["", undefined], [", by tar", { mtime: "1.000000001" }]] as const) {
  const mtime = pax?.mtime;
  layersBecome(`modes, setuid and setgid with another owner${how}`, [
    [
      ...FILE_MODES.map((mode) => file(`f${mode}`, "x", { mode, uid: 7, gid: 8, pax })),
      ...MODES.map((mode) => dir(`d${mode}`, { mode, uid: 7, gid: 8, pax })),
      ...MODES.map((mode) => file(`d${mode}/in`, "x", { mode: 0o444, uid: 7, pax })),
    ],
    MODES.map((mode) => file(`d${mode}/late`)),
  ], {
    ...Object.fromEntries(
      FILE_MODES.map((mode) => [`f${mode}`, f("x", { mode, owner: "7:8", mtime })]),
    ),
    ...Object.fromEntries(MODES.flatMap((mode) => [
      [`d${mode}`, d({ mode, owner: "7:8", mtime })],
      [`d${mode}/in`, f("x", { mode: 0o444, owner: "7:0", mtime })],
      [`d${mode}/late`, f()],
    ])),
  });
}

// deno refuses umask(2) without a bare --allow-sys: a shell sets it for a layerfs of its own.
for (const umask of ["077", "000"]) {
  Deno.test(`accepted: modes under a umask of ${umask}`, () =>
    withWorkspace(async (w) => {
      const { reference } = imageLayout(`${w.dir}/image`, {
        layers: [{
          tar: tarball([
            file("f", "", { mode: 0o666 }),
            dir("d", { mode: 0o777 }),
            file("i/j/k", "", { mode: 0o777, pax: { mtime: "1.000000001" } }),
            fifo("p", { mode: 0o666 }),
          ]),
        }],
      });
      const granted = [
        "--allow-read",
        "--allow-write",
        "--allow-run=tar,cp,xargs,find",
        "--allow-sys=uid,gid,userInfo",
      ];
      const program = new URL("../../mod.ts", import.meta.url).pathname;
      const run = [Deno.execPath(), "run", "--quiet", "--allow-env", ...granted, program];
      const create = [
        "create",
        "--driver",
        "directory",
        "--store",
        w.store,
        "--platform",
        "linux/amd64",
        "--bundle",
        w.bundle,
      ];
      const script = `umask ${umask} && exec "$@"`;
      await output("sh", ["-c", script, "sh", ...run, ...create, reference]);
      const args = [`${w.bundle}/rootfs`, "-mindepth", "1", "-printf", "%P %m\\n"];
      const lines = new TextDecoder().decode(await output("find", args)).trim().split("\n").sort();
      assertEquals(lines, ["d 777", "f 666", "i 755", "i/j 755", "i/j/k 777", "p 666"]);
    }));
}

const MAX_ID = 2 ** 32 - 2;
layersBecome("owners", [[
  file("one", "", { uid: 1, gid: 0 }),
  file("two", "", { uid: 0, gid: 2 }),
  file("large", "", { uid: 300_000, gid: 127 }),
  file("octal", "", { uid: 0o7777777, gid: 0o7777777 }),
  file("largest", "", { uid: MAX_ID, gid: MAX_ID }),
  file("pax", "", { uid: 1, gid: 1, pax: { uid: "128", gid: "16384" } }),
  file("written by tar", "", { uid: 128, gid: MAX_ID, pax: { mtime: "1.000000001" } }),
  dir("dir", { uid: 3, gid: 4 }),
  dir("dir by tar", { uid: 3, gid: 4, pax: { "SCHILY.xattr.user.a": "b" } }),
  symlink("link", "no", { uid: 5, gid: 6 }),
  symlink("link by tar", "no", { uid: 5, gid: 6, mtime: -7 }),
  fifo("fifo", { uid: 7, gid: 8 }),
  file("names", "", { uid: 9, fields: { uname: "daemon", gname: "daemon" } }),
]], {
  one: f("", { owner: "1:0" }),
  two: f("", { owner: "0:2" }),
  large: f("", { owner: "300000:127" }),
  octal: f("", { owner: `${0o7777777}:${0o7777777}` }),
  largest: f("", { owner: `${MAX_ID}:${MAX_ID}` }),
  pax: f("", { owner: "128:16384" }),
  "written by tar": f("", { owner: `128:${MAX_ID}`, mtime: "1.000000001" }),
  dir: d({ owner: "3:4" }),
  "dir by tar": d({ owner: "3:4", xattrs: { "user.a": "b" } }),
  link: l("no", { owner: "5:6" }),
  "link by tar": l("no", { owner: "5:6", mtime: "-7" }),
  fifo: p({ owner: "7:8" }),
  names: f("", { owner: "9:0" }),
});

for (
  const [name, uid] of [
    ["is no change to chown", "4294967295"],
    ["is cut to root", "4294967296"],
    ["is past 53 bits", "18446744073709551616"],
    ["is negative", "-1"],
    ["is fractional", "1.5"],
    ["is not a number", "root"],
    ["is hexadecimal", "0x10"],
  ] as const
) {
  rejectsLayer(`a uid that ${name}`, [file("x", "", { pax: { uid } })], [uid]);
  rejectsLayer(`a gid that ${name}`, [file("x", "", { pax: { gid: uid } })], [uid]);
}
for (const value of [-1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 55n - 1n]) {
  rejectsLayer(`a base-256 uid of ${value}`, [
    file("x", "", { fields: { uid: base256(value, 8) } }),
  ], ['"x"']);
}

const TIMES: readonly (readonly [string, string])[] = [
  ["0", "0"],
  ["1", "1"],
  ["0.5", "0.5"],
  ["1.000000001", "1.000000001"],
  ["1.999999999", "1.999999999"],
  ["1.001", "1.001"],
  ["1.123456", "1.123456"],
  ["-1", "-1"],
  ["-0.5", "-1.5"],
  ["-1.25", "-2.75"],
  ["-1.000000001", "-2.999999999"],
  ["-86400.001", "-86401.999"],
  ["2147483648", "2147483648"],
  ["4294967296.000000001", "4294967296.000000001"],
  ["1.0000000009", "1"],
  ["+5", "5"],
];
layersBecome("times of files", [
  TIMES.slice(0, -1).map(([mtime], i) => file(`t${i}`, "x", { pax: { mtime } })),
], Object.fromEntries(TIMES.slice(0, -1).map(([, mtime], i) => [`t${i}`, f("x", { mtime })])));
layersBecome("times of directories with something in them", [
  TIMES.slice(0, -1).flatMap(([mtime], i) => [dir(`t${i}`, { pax: { mtime } }), file(`t${i}/x`)]),
  [file("t0/y")],
], {
  "t0/y": f(),
  ...Object.fromEntries(
    TIMES.slice(0, -1).flatMap(([, mtime], i) => [
      [`t${i}`, d({ mtime })],
      [`t${i}/x`, f()],
    ]),
  ),
});
layersBecome(
  "times of symlinks and FIFOs",
  [
    TIMES.slice(0, -1).flatMap(([mtime], i) => [
      symlink(`l${i}`, "no", { pax: { mtime } }),
      fifo(`p${i}`, { pax: { mtime } }),
    ]),
  ],
  Object.fromEntries(
    TIMES.slice(0, -1).flatMap(([, mtime], i) => [
      [`l${i}`, l("no", { mtime })],
      [`p${i}`, p({ mtime })],
    ]),
  ),
);
layersBecome("a time before 1970 in the header", [[
  file("x", "", { mtime: -86_400 }),
  dir("d", { mtime: -1 }),
]], { x: f("", { mtime: "-86400" }), d: d({ mtime: "-1" }) });

for (const mtime of ["yesterday", "1e9", "1.2.3", "0x10", "--1", "1 "]) {
  rejectsLayer(`a time of "${mtime}"`, [file("x", "", { pax: { mtime } })], ["pax"]);
}

layersBecome("extended attributes", [[
  file("f", "x", {
    pax: {
      "SCHILY.xattr.user.text": "value",
      "SCHILY.xattr.user.empty.not": "\0",
      "SCHILY.xattr.user.binary": latin1("\0\xff\n=\xe9"),
      "SCHILY.xattr.user.\u00e9": "name",
      "SCHILY.xattr.user.long": "v".repeat(2000),
    },
  }),
  dir("d", { pax: { "SCHILY.xattr.user.dir": "1" } }),
  file("d/in", "", { mode: 0o444, uid: 5, pax: { "SCHILY.xattr.user.a": "1" } }),
  hardlink("h", "f"),
  file("bsd", "", { pax: { "LIBARCHIVE.xattr.user.a%20b": "AP8K" } }),
  file("both", "", { pax: { "LIBARCHIVE.xattr.user.a": "AP8K", "SCHILY.xattr.user.a": "\0\n" } }),
]], {
  ...Object.fromEntries(["f", "h"].map((name) => [
    name,
    f("x", {
      links: ["f", "h"],
      xattrs: {
        "user.text": "value",
        "user.empty.not": "\0",
        "user.binary": latin1("\0\xff\n=\xe9"),
        "user.\u00e9": "name",
        "user.long": "v".repeat(2000),
      },
    }),
  ])),
  d: d({ xattrs: { "user.dir": "1" } }),
  "d/in": f("", { mode: 0o444, owner: "5:0", xattrs: { "user.a": "1" } }),
  bsd: f("", { xattrs: { "user.a b": latin1("\0\xff\n") } }),
  both: f("", { xattrs: { "user.a": "\0\n" } }),
});

// struct vfs_cap_data, revision 2: effective, CAP_NET_RAW permitted.
const CAPABILITY = latin1("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
layersBecome("security.capability survives chown and chmod", [[
  file("ping", "x", {
    mode: 0o755,
    uid: 5,
    pax: { "SCHILY.xattr.security.capability": CAPABILITY },
  }),
]], {
  ping: f("x", { mode: 0o755, owner: "5:0", xattrs: { "security.capability": CAPABILITY } }),
}, unlessRoot("security.capability"));
layersBecome("trusted attributes on a directory and a symlink", [[
  dir("d", { pax: { "SCHILY.xattr.trusted.a": "1" } }),
  symlink("s", "no", { pax: { "SCHILY.xattr.trusted.b": "2" } }),
]], {
  d: d({ xattrs: { "trusted.a": "1" } }),
  s: l("no", { xattrs: { "trusted.b": "2" } }),
}, unlessRoot("trusted.a", "trusted.b"));

for (const name of ["trusted.overlay.opaque", "user.overlay.opaque", "trusted.overlay.redirect"]) {
  layersBecome(
    `overlay's own ${name} is dropped`,
    [[
      dir("d", { pax: { [`SCHILY.xattr.${name}`]: "y", "SCHILY.xattr.user.kept": "1" } }),
      file("f", "", { pax: { [`SCHILY.xattr.${name}`]: "/etc" } }),
    ]],
    { d: d({ xattrs: { "user.kept": "1" } }), f: f() },
    [name, name],
  );
}
layersBecome(
  "all of overlay's own attributes are dropped",
  [[
    file("f", "", {
      pax: {
        "SCHILY.xattr.trusted.overlay.metacopy": "",
        "SCHILY.xattr.user.overlay.whiteout": "y",
        "LIBARCHIVE.xattr.trusted.overlay.redirect": "Lw==",
      },
    }),
  ]],
  { f: f() },
  ["trusted.overlay.metacopy", "user.overlay.whiteout", "trusted.overlay.redirect"],
);

layersBecome("an image's own rootless record does not count", [[
  file("f", "", { uid: 5, gid: 6, pax: { "SCHILY.xattr.user.rootlesscontainers": "\x08\x00" } }),
]], {
  f: f("", {
    owner: "5:6",
    xattrs: IS_ROOT ? { "user.rootlesscontainers": "\x08\x00" } : undefined,
  }),
});

layersBecome(
  "devices and FIFOs",
  [[
    character("null", 1, 3, { mode: 0o666, uid: 1, gid: 2 }),
    block("disk", 8, 300, { mode: 0o600, mtime: 5 }),
    character("large", 511, 0xfffff),
    fifo("fifo", { mode: 0o622 }),
    hardlink("zero", "null"),
  ]],
  {
    null: dev("character", 1, 3, { mode: 0o666, owner: "1:2", links: ["null", "zero"] }),
    zero: dev("character", 1, 3, { mode: 0o666, owner: "1:2", links: ["null", "zero"] }),
    disk: dev("block", 8, 300, { mode: 0o600, mtime: "5" }),
    large: dev("character", 511, 0xfffff),
    fifo: p({ mode: 0o622 }),
  },
  unlessRoot('"null"', '"disk"', '"large"', '"zero"'),
);
rejectsLayer("a device number past 32 bits", [
  character("x", 0, 0, { fields: { devmajor: base256(2n ** 32n, 8) } }),
], ['"x"']);
rejectsLayer("a negative device number", [
  character("x", 0, 0, { fields: { devminor: base256(-1n, 8) } }),
], ['"x"']);

Deno.test({
  name: "accepted: an ordinary user's owners, byte by byte",
  ignore: IS_ROOT,
  fn: () =>
    withWorkspace(async (w) => {
      const image = imageLayout(`${w.dir}/image`, {
        layers: [{
          tar: tarball([
            file("both", "", { uid: 1000, gid: 100 }),
            file("user", "", { uid: 1 }),
            file("group", "", { gid: 300 }),
            file("root", ""),
            file("largest", "", { uid: MAX_ID, gid: 127 }),
          ]),
        }],
      });
      const { rootfs } = await create(w, image.reference);
      const args = ["-n", "user.rootlesscontainers", "-e", "hex", "--absolute-names"];
      const names = ["both", "user", "group", "largest"].map((name) => `${rootfs}/${name}`);
      const text = new TextDecoder().decode(await output("getfattr", [...args, ...names]));
      assertEquals(text.match(/0x[0-9a-f]+/g), [
        "0x08e8071064",
        "0x0801",
        "0x10ac02",
        "0x08feffffff0f107f",
      ]);
      const root = await output("getfattr", ["-d", "--absolute-names", `${rootfs}/root`]);
      assertEquals(root.length, 0);
    }),
});
