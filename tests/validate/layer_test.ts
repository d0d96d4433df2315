import { compress } from "../fixtures/image.ts";
import {
  bytesOf,
  concat,
  dir,
  file,
  hardlink,
  opaque,
  symlink,
  tarball,
  whiteout,
} from "../fixtures/tar.ts";
import { type Case, LAYER, testCases } from "./harness.ts";

const layers = (...tars: Uint8Array[]): Case["image"] => ({ layers: tars.map((tar) => ({ tar })) });

const cases: readonly Case[] = [
  {
    name: "layers of every compression",
    image: {
      layers: [
        { tar: LAYER },
        { tar: tarball([file("a", "x".repeat(3_000_000))]), compression: "gzip" },
        {
          tar: tarball([file("b", crypto.getRandomValues(new Uint8Array(60_000)))]),
          compression: "zstd",
        },
      ],
    },
    others: [
      { id: 35, outcome: "pass", detail: "layers: 3" },
      { id: 45, outcome: "pass", detail: "layers: 3" },
      { id: 50, outcome: "pass", detail: "layers: 3" },
      { id: 56, outcome: "pass", detail: "entries: 4" },
    ],
  },
  {
    name: "gzip of several members",
    image: {
      layers: [{
        tar: LAYER,
        blob: concat([compress(LAYER.slice(0, 1000), "gzip"), compress(LAYER.slice(1000), "gzip")]),
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      }],
    },
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "50: a path twice",
    image: layers(tarball([file("a", "1"), dir("b"), file("./a", "2")])),
    problems: [{
      id: 50,
      outcome: "fail",
      where: "layers[0]",
      detail: "1 paths stand in it twice",
    }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "50: no tar",
    image: layers(bytesOf("no tar at all".repeat(100))),
    problems: [{ id: 50, outcome: "fail", where: "layers[0]", detail: "tar entry" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "50: a truncated tar",
    image: layers(tarball([file("a", "x".repeat(5000))]).slice(0, 2048)),
    problems: [{ id: 50, outcome: "fail", detail: "ends within" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "50: a path above the root",
    image: layers(tarball([file("../a", "x")])),
    problems: [{ id: 50, outcome: "fail", detail: "above the root" }],
  },
  {
    name: "50: damaged gzip: the other layer is read all the same",
    image: {
      layers: [
        {
          tar: LAYER,
          blob: compress(LAYER, "gzip").slice(0, 60),
          mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        },
        { tar: LAYER },
      ],
    },
    problems: [{ id: 50, outcome: "fail", where: "layers[0]" }],
    others: [{ id: 45, outcome: "pass", detail: "layers: 1" }, { id: 5, outcome: "pass" }],
  },
  {
    name: "51: a bare whiteout",
    image: layers(tarball([dir("etc"), file("etc/.wh.")])),
    problems: [{ id: 51, outcome: "fail", where: "layers[0]", detail: "names nothing" }],
    others: [{ id: 45, outcome: "pass" }],
  },
  {
    name: "51: whiteouts of the directory and of its parent",
    image: layers(tarball([file("etc/.wh..")]), tarball([file("etc/.wh...")])),
    problems: [{ id: 51, outcome: "fail", where: "layers[0]", detail: "layers[1]: " }],
  },
  {
    name: "52 to 54: whiteouts",
    image: layers(
      LAYER,
      tarball([whiteout("etc/motd"), file("etc/motd", "new"), dir("usr"), opaque("usr")]),
      tarball([whiteout("etc/motd")]),
    ),
    others: [
      { id: 52, outcome: "pass", detail: "whiteouts: 2" },
      { id: 53, outcome: "pass", detail: "do not hide: 1" },
      { id: 54, outcome: "pass", detail: "opaque whiteouts: 1" },
    ],
  },
  {
    name: "52: a reserved name",
    image: layers(tarball([dir(".wh..wh.plnk")])),
    others: [{ id: 52, outcome: "pass", detail: "reserved names: 1" }],
  },
  {
    name: "52: a whiteout with content",
    image: layers(tarball([file("etc/.wh.motd", "surprise")])),
    problems: [{ id: 52, outcome: "fail", where: "layers[0]", detail: "etc/.wh.motd" }],
  },
  {
    name: "52: a whiteout that is a symlink",
    image: layers(tarball([symlink("etc/.wh.motd", "/")])),
    problems: [{ id: 52, outcome: "fail", detail: "no empty file" }],
  },
  {
    name: "55: a file in the place of a directory of its own layer",
    image: layers(tarball([file("a/b", "1"), file("a", "2")])),
    problems: [{ id: 55, outcome: "warn", where: "layers[0]", detail: 'the first is "a"' }],
  },
  {
    name: "56: links and xattrs",
    image: layers(
      tarball([
        file("a", "1", { pax: { "SCHILY.xattr.user.x": "y" } }),
        hardlink("b", "a"),
      ]),
      tarball([hardlink("c", "b")]),
    ),
    others: [{ id: 56, outcome: "pass", detail: "hard links: 2, entries with xattrs: 1" }],
  },
  {
    name: "56: a hard link in the base layer to nothing",
    image: layers(tarball([hardlink("a", "b")])),
    problems: [{ id: 56, outcome: "fail", where: "layers[0]", detail: 'hard link "a"' }],
  },
  {
    name: "57: a sparse file",
    image: layers(tarball([
      file(
        "GNUSparseFile.0/a",
        concat([bytesOf("1\n1000\n4\n".padEnd(512, "\0")), bytesOf("data")]),
        {
          pax: {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "a",
            "GNU.sparse.realsize": "2000",
          },
        },
      ),
    ])),
    problems: [{ id: 57, outcome: "warn", where: "layers[0]", detail: 'the first is "a"' }],
  },
];
testCases(cases);
