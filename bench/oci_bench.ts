/**
 * Parsing of manifests and configs, and the conversion to a runtime config. The documents are of
 * the size that real images have (Debian with Python: 10 layers, 40 steps of history) and, for the
 * cost of each byte, 100 times that. JSON.parse alone, which checks nothing, stands beside.
 *
 * `deno bench bench/oci_bench.ts`
 *
 * @module
 */

import { chainIds } from "../src/core/chain_id.ts";
import { parseConfig } from "../src/oci/config.ts";
import { parseManifest } from "../src/oci/manifest.ts";
import { convert } from "../src/oci/runtime_spec.ts";

const digest = (i: number): string => `sha256:${i.toString(16).padStart(64, "0")}`;

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function manifest(layers: number): Uint8Array {
  return bytes({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: digest(0),
      size: 7023,
    },
    layers: Array.from({ length: layers }, (_, i) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest: digest(i),
      size: 1_000_000 + i,
    })),
    annotations: { "org.opencontainers.image.created": "2026-01-01T00:00:00Z" },
  });
}

function config(layers: number): Uint8Array {
  return bytes({
    created: "2026-01-01T00:00:00.123456789Z",
    architecture: "amd64",
    os: "linux",
    config: {
      User: "app",
      ExposedPorts: { "8080/tcp": {} },
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
      Entrypoint: ["/bin/app"],
      Cmd: ["--config", "/etc/app"],
      Volumes: { "/var/lib/app": {} },
      WorkingDir: "/srv",
      Labels: { "org.example.a": "1", "org.example.b": "2" },
    },
    rootfs: { type: "layers", diff_ids: Array.from({ length: layers }, (_, i) => digest(i)) },
    history: Array.from({ length: layers * 4 }, (_, i) => ({
      created: "2026-01-01T00:00:00.123456789Z",
      created_by: '/bin/sh -c #(nop) CMD ["sh"] and enough more to be as long as a usual step',
      comment: "buildkit.dockerfile.v0",
      ...(i % 4 === 0 ? {} : { empty_layer: true }),
    })),
  });
}

for (const layers of [10, 1000]) {
  const manifestBytes = manifest(layers);
  const configBytes = config(layers);
  const parsed = parseConfig(configBytes);
  const decoder = new TextDecoder();
  const group = (what: string, size: number): string => `${what}, ${layers} layers, ${size} B`;

  const ofManifest = group("manifest", manifestBytes.length);
  Deno.bench({ name: "parseManifest", group: ofManifest, baseline: true }, () => {
    parseManifest(manifestBytes);
  });
  Deno.bench({ name: "JSON.parse", group: ofManifest }, () => {
    JSON.parse(decoder.decode(manifestBytes));
  });

  const ofConfig = group("config", configBytes.length);
  Deno.bench({ name: "parseConfig", group: ofConfig, baseline: true }, () => {
    parseConfig(configBytes);
  });
  Deno.bench({ name: "JSON.parse", group: ofConfig }, () => {
    JSON.parse(decoder.decode(configBytes));
  });

  const ofConversion = `conversion, ${layers} layers`;
  Deno.bench({ name: "convert", group: ofConversion }, () => {
    convert(parsed);
  });
  Deno.bench({ name: "chainIds", group: ofConversion }, () => {
    chainIds(parsed.rootfs.diffIds);
  });
}
