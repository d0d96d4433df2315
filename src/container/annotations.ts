/**
 * Labels of an image that must not become annotations of a container.
 *
 * @module
 */

/**
 * Annotations that runtimes and managers act upon on the host: they set systemd properties of the
 * unit, name files to write hooks' output to, sockets to send descriptors to or programs to run.
 * Of the image they would be commands from a stranger (CVE-2026-53488, CVE-2024-3154); the spec
 * lets a converter leave such out if it says so (conversion.md, "Annotations").
 */
const ACTED_UPON = [
  "containerd.io/", // restart monitor: runs binary:// loggers
  "io.containers.", // podman
  "io.katacontainers.config.", // Kata: hypervisor and kernel paths
  "io.kubernetes.cri", // crun, CRI-O: container type, sandbox
  "module.wasm.image/", // crun: handler
  "org.criu.config", // runc: CRIU configuration file
  "org.systemd.property.", // runc, crun: properties of the unit
  "run.oci.", // crun: hooks, seccomp, handlers, cgroups
];

/** Names that are not a prefix: runc keeps its own data of the container under them. */
const RESERVED: ReadonlySet<string> = new Set(["bundle"]);

/**
 * The labels of an image that may become annotations.
 *
 * @returns and a warning for each that may not
 */
export function safeLabels(
  labels: Readonly<Record<string, string>>,
): { labels: Record<string, string>; warnings: string[] } {
  const warnings: string[] = [];
  const safe = Object.entries(labels).filter(([name]) => {
    const state = name === ""
      ? "it has no name"
      : RESERVED.has(name) || ACTED_UPON.some((prefix) => name.startsWith(prefix))
      ? "container runtimes act upon it; use --annotation if you want it"
      : null;
    if (state !== null) {
      warnings.push(`The image's label ${JSON.stringify(name)} is left out: ${state}`);
    }
    return state === null;
  });
  return { labels: Object.fromEntries(safe), warnings };
}
