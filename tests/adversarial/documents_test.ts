/** Manifests, indexes, configs and descriptors that break a rule, and odd ones that do not. */

import type { ErrorCode } from "../../src/errors.ts";
import { blobPath, digestOf, type ImageSpec, type Json, WRONG_DIGEST } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { d, f } from "../fixtures/tree.ts";
import { becomes, GOOD_LAYER, rejects } from "./harness.ts";

const LAYER = { tar: tarball(GOOD_LAYER) };
const TYPE = "application/vnd.oci.image";

/** Registers a test: the image with these changes is refused. */
function refused(
  name: string,
  spec: Partial<ImageSpec>,
  says: readonly string[],
  code: ErrorCode = "image-invalid",
): void {
  rejects(name, { layers: [LAYER], ...spec }, { code, says });
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** The edits of a document by a table: a member, and values that it must not have. */
function wrongMembers(
  document: "manifest" | "index" | "config",
  place: (document: Json) => Json,
  values: Readonly<Record<string, readonly unknown[]>>,
): void {
  for (const [member, wrong] of Object.entries(values)) {
    for (const value of wrong) {
      const shown = value === undefined ? "absent" : JSON.stringify(value).slice(0, 60);
      refused(`${document}: ${member} is ${shown}`, {
        [document]: (json: Json) => {
          place(json)[member] = value;
        },
      }, [member]);
    }
  }
}

const DIGESTS = [
  undefined,
  null,
  7,
  "",
  "sha256",
  "sha256:",
  "sha256:abc",
  `sha256:${"A".repeat(64)}`,
  `sha256:${"g".repeat(64)}`,
  `sha256:${"a".repeat(63)}`,
  `sha256:${"a".repeat(65)}`,
  `sha256:${"a".repeat(64)}\n`,
  `sha512:${"a".repeat(64)}`,
  `SHA256:${"a".repeat(64)}`,
  `:${"a".repeat(64)}`,
  "sha256:../../../../canary/secret",
  "../../canary:secret",
  `sha256:../sha256/${"a".repeat(64)}`,
  "sha256:" + "a".repeat(60) + "/../x",
  "latest",
];
const SIZES = [undefined, null, -1, 1.5, "10", 2 ** 53, 1e300, true, []];
const MEDIA_TYPES = [undefined, null, "", "tar", 7, "a/b/c", "a b/c", `a/${"b".repeat(128)}`];
const layer0 = (json: Json) => (json.layers as Json[])[0] ?? {};
const manifest0 = (json: Json) => (json.manifests as Json[])[0] ?? {};
const config = (json: Json) => json.config as Json;
wrongMembers("manifest", layer0, { digest: DIGESTS, size: SIZES, mediaType: MEDIA_TYPES });
wrongMembers("manifest", config, {
  digest: [undefined, "sha256:../x"],
  size: [undefined, -1],
  mediaType: [undefined, 7],
});
wrongMembers("index", manifest0, {
  digest: [undefined, "sha256:../../index.json"],
  size: [undefined, -1, "1"],
});
wrongMembers("manifest", (json) => json, {
  schemaVersion: [undefined, null, "2", 3, 0, 2.5],
  mediaType: [`${TYPE}.index.v1+json`, "text/plain", 7],
  config: [undefined, null, "x", []],
  layers: [undefined, {}, "x", [null], [7]],
  annotations: [[], "x", { a: 1 }, { a: null }],
  manifests: [[]],
});
wrongMembers("index", (json) => json, {
  schemaVersion: [undefined, "2", 3],
  mediaType: [`${TYPE}.manifest.v1+json`, "text/plain"],
  manifests: [undefined, {}, "x", [null]],
  layers: [[]],
  annotations: [{ a: 1 }],
});
wrongMembers("config", (json) => json, {
  architecture: [undefined, null, "", 7],
  os: [undefined, null, "", 7],
  rootfs: [undefined, null, [], {}],
  created: ["yesterday", "2020-01-01", "2020-13-01T00:00:00Z", "2020-02-30T00:00:00Z", 7],
  history: [{}, "x", [7]],
});
wrongMembers("config", (json) => json.rootfs as Json, {
  type: [undefined, "weird", "Layers", 7],
  diff_ids: [undefined, null, {}, ["x"], [7], [`sha256:${"A".repeat(64)}`]],
});
wrongMembers("config", config, {
  Env: ["A=B", [7], ["NOEQUALS"], ["=x"], ["A=B\0C"], { A: "B" }],
  Cmd: [7, [7], { a: 1 }, ["a\0b"]],
  Entrypoint: [7, [null]],
  User: [7, ["root"], "a\0b"],
  WorkingDir: [7, ["/"], "/a\0b"],
  Labels: [[], { a: 1 }, "x"],
  Volumes: [[], "x"],
  ExposedPorts: [["80"], 80],
});

refused(
  "schema 1",
  {
    manifest: (json) => {
      json.schemaVersion = 1;
    },
  },
  ["schemaVersion"],
  "unsupported",
);
refused("fewer diffIDs than layers", {
  config: (json) => {
    json.rootfs = { type: "layers", diff_ids: [] };
    delete json.history;
  },
}, ["diff_ids"]);
refused("more diffIDs than layers", {
  config: (json) => {
    (json.rootfs as { diff_ids: string[] }).diff_ids.push(WRONG_DIGEST);
    delete json.history;
  },
}, ["diff_ids"]);
refused("a history of more layers than there are", {
  config: (json) => {
    (json.history as Json[]).push({ created_by: "nobody" });
  },
}, ["history"]);
refused(
  "more layers than any image has",
  {
    manifest: (json) => {
      json.layers = Array.from({ length: 5000 }, () => layer0(json));
    },
  },
  ["layers"],
  "unsupported",
);
refused(
  "an artifact instead of an image",
  {
    manifest: (json) => {
      json.artifactType = "application/vnd.example+type";
      config(json).mediaType = "application/vnd.oci.empty.v1+json";
    },
  },
  ["application/vnd.oci.empty.v1+json"],
  "unsupported",
);
refused(
  "a layer that is no tar",
  {
    layers: [{ ...LAYER, mediaType: "application/vnd.example.weights" }],
  },
  ["application/vnd.example.weights"],
  "unsupported",
);
refused(
  "an algorithm that nobody knows",
  {
    manifest: (json) => {
      layer0(json).digest = "md5:d41d8cd98f00b204e9800998ecf8427e";
    },
  },
  ["md5"],
  "unsupported",
);
refused("an index that calls its manifest an index", {
  index: (json) => {
    manifest0(json).mediaType = `${TYPE}.index.v1+json`;
  },
}, ["mediaType"]);

/** Rewrites a blob in place, which leaves its name as it was. */
function tampered(which: "manifestDigest" | "configDigest", change: (json: string) => string) {
  return {
    after: (dir: string, image: { manifestDigest: string; configDigest: string }) => {
      const path = blobPath(dir, image[which]);
      Deno.writeTextFileSync(path, change(Deno.readTextFileSync(path)));
    },
  };
}
for (const which of ["manifestDigest", "configDigest"] as const) {
  refused(
    `${which} is not that of the content`,
    tampered(which, (json) => {
      return json.replace("2", "3").replace("amd64", "arm64");
    }),
    ["sha256:"],
    "digest-mismatch",
  );
  refused(`${which}: content longer than its size`, tampered(which, (json) => json + " "), [
    "sha256:",
  ], "size-mismatch");
  refused(`${which}: content shorter than its size`, tampered(which, (json) => json.slice(1)), [
    "sha256:",
  ], "size-mismatch");
}

const base64 = (data: Uint8Array) => data.toBase64();
refused(
  "embedded data that is not the content",
  {
    index: (json) => {
      manifest0(json).data = base64(bytes("{}"));
    },
  },
  ["sha256:"],
  "size-mismatch",
);
refused(
  "embedded data of the right length that is not the content",
  {
    index: (json) => {
      manifest0(json).data = base64(new Uint8Array(manifest0(json).size as number));
    },
  },
  ["sha256:"],
  "digest-mismatch",
);
for (const data of ["****", "YQ", "YQ=", "Y Q==", 7]) {
  refused(`embedded data ${JSON.stringify(data)}`, {
    index: (json) => {
      manifest0(json).data = data;
    },
  }, ["data"]);
}

const GOOD = { etc: d(), "etc/motd": f("good\n") };
/** Registers a test: the image with these changes is as good as without. */
function accepted(name: string, spec: Partial<ImageSpec>): void {
  becomes(name, { layers: [LAYER], ...spec }, { tree: GOOD });
}

accepted("a manifest embedded in the index, its blob missing", {
  rawManifest: (json) => json,
  after: (dir, image) => {
    const path = blobPath(dir, image.manifestDigest);
    const index = JSON.parse(Deno.readTextFileSync(`${dir}/index.json`));
    index.manifests[0].data = base64(Deno.readFileSync(path));
    Deno.writeTextFileSync(`${dir}/index.json`, JSON.stringify(index));
    Deno.removeSync(path);
  },
});
accepted("fields that nobody knows", {
  config: (json) => Object.assign(json, { "x-new": { deep: [1] }, __proto__x: 1 }),
  manifest: (json) => Object.assign(json, { "x-new": 1, subject: { ...layer0(json) } }),
  index: (json) => Object.assign(json, { "x-new": null, artifactType: "application/x.y" }),
  layout: (json) => Object.assign(json, { "x-new": 1 }),
  rawConfig: (json) => json.replace("{", '{"__proto__":{"os":"x"},"constructor":7,'),
});
accepted("null where something may be absent", {
  config: (json) => Object.assign(json, { author: null, created: null, variant: null }),
  manifest: (json) => Object.assign(json, { annotations: null, subject: null }),
  run: { Env: null, Entrypoint: null, Volumes: null, User: null, Labels: null, WorkingDir: null },
});
accepted("no media types in the documents", {
  manifest: (json) => delete json.mediaType,
  index: (json) => delete json.mediaType,
});
accepted("no history", { config: (json) => delete json.history });
accepted("history with steps that made no layer", {
  config: (json) =>
    Object.assign(json, { history: [{ empty_layer: true }, {}, { empty_layer: true }] }),
});
accepted("schema 2 of Docker in an OCI layout", { family: "docker" });
accepted("something else in the index beside the image", {
  index: (json) => {
    (json.manifests as Json[]).unshift({
      mediaType: "application/vnd.example.thing+json",
      digest: "blake7:0123",
      size: 5,
    });
  },
});

/** Puts the manifest into an index of its own, `depth` times over. */
function nested(depth: number): Partial<ImageSpec> {
  return {
    after: (dir) => {
      for (let i = 0; i < depth; i++) {
        const inner = Deno.readFileSync(`${dir}/index.json`);
        const digest = digestOf(inner);
        Deno.writeFileSync(blobPath(dir, digest), inner);
        const entry = { mediaType: `${TYPE}.index.v1+json`, digest, size: inner.length };
        const index = { schemaVersion: 2, manifests: [entry] };
        Deno.writeTextFileSync(`${dir}/index.json`, JSON.stringify(index));
      }
    },
  };
}
accepted("an index in an index", nested(1));
accepted("an index in an index in an index", nested(2));
refused("an index nested too deep", nested(30), ["index", "sha256:"]);
rejects("another platform", { layers: [LAYER] }, {
  code: "platform-not-found",
  says: ["linux/s390x", "linux/amd64"],
  create: { platform: "linux/s390x" },
});
becomes("an image without a layer", { layers: [] }, { tree: {} });
becomes("two layers with the same content", { layers: [LAYER, LAYER] }, { tree: GOOD });
becomes("a layer of another algorithm than its manifest", {
  layers: [LAYER, {
    tar: tarball([file("x")]),
    digest: digestOf(tarball([file("x")]), "sha512"),
    diffId: digestOf(tarball([file("x")]), "sha512"),
  }],
}, { tree: { ...GOOD, x: f() } });
