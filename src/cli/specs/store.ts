/**
 * The commands that look after the store as a whole, and after the command line itself.
 *
 * @module
 */

import { command, flag } from "../spec.ts";

const gc = command({
  summary: "Remove what nothing needs",
  help: "Removes layers and blobs that neither an image nor a container needs, and what killed \
processes have left. Waits until nobody else works in the store. Prints what was removed.",
  operands: { usage: [""], min: 0, max: 0 },
  options: { "dry-run": flag("remove nothing, only print what would be", { short: "n" }) },
  cleansUp: true,
  examples: ["gc --dry-run", "gc"],
});

const fsck = command({
  summary: "Check that the store is as it should be",
  help: "Compares names, records, datasets and mounts, and prints one row a problem. Waits until \
nobody else works in the store. The exit status is 7 where a problem stays.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {
    deep: flag("read all layers and blobs, and compare them with their digests"),
    repair: flag("mend what can be mended without losing anything"),
  },
  cleansUp: true,
  examples: ["fsck", "fsck --deep --repair"],
});

const df = command({
  summary: "Show what the store takes",
  help: "Shows how much space images, layers and containers take, and how much gc would free.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {},
});

const info = command({
  summary: "Show what this store and this machine offer",
  help: "Shows the store, its driver and why it was chosen, and the programs that were found. What \
this user may not read is left open.",
  operands: { usage: [""], min: 0, max: 0 },
  options: {},
});

const completions = command({
  summary: "Print the completions of a shell",
  help: "Prints a script that makes a shell complete the commands and options of layerfs.",
  operands: { usage: ["bash|zsh|fish"], min: 1, max: 1, choices: ["bash", "zsh", "fish"] },
  options: {},
  examples: [
    "completions bash > /etc/bash_completion.d/layerfs",
    "completions zsh > /usr/local/share/zsh/site-functions/_layerfs",
    "completions fish > ~/.config/fish/completions/layerfs.fish",
  ],
});

/** These commands, in the order in which help lists them. */
export const STORE_SPECS = { gc, fsck, df, info, completions };
