/**
 * Random changes of a tree, as a script of bash: the same for the same seed.
 *
 * @module
 */

/** Numbers from 0 up to 1, by a seed of 32 bits (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Few names, so that changes meet; quoted for bash. */
const NAMES = [
  "a",
  "b",
  "c",
  "d",
  "'sp ace'",
  String.raw`$'new\nline'`,
  String.raw`$'r\xff'`,
  String.raw`$'\xc3\xbc'`,
  "-dash",
  "a-b",
] as const;

/**
 * What happens to P, or to P and Q; whatever cannot be done is passed over. Nobody waits for the other
 * end of a FIFO.
 */
const OPERATIONS: readonly string[] = [
  "mkdir -p P",
  "mkdir -p P",
  "mkdir -m 2750 P",
  "[ -p P ] || echo N > P",
  "[ -p P ] || echo N > P",
  "[ -p P ] || printf 1234 > P",
  "[ -p P ] || printf 4321 > P",
  "[ -p P ] || echo N >> P",
  "[ -p P ] || : > P",
  "[ -p P ] || head -c 70000 /dev/zero > P",
  "[ -p P ] || truncate -s 40000 P",
  "chmod 4N5 P",
  "chmod N00 P",
  "touch -h -d @N.123456789 P",
  "touch -h -d @-N.5 P",
  "mv -T P Q",
  "mv -T P Q",
  "mv P Q",
  "ln P Q",
  "ln P Q",
  "ln -f P Q",
  "ln -sT TARGET P",
  "ln -sfT TARGET P",
  "rm -f P",
  "rm -f P",
  "rm -rf P",
  "rm -rf P; mkdir P",
  "rm -rf P; mkdir P; [ -p P/a ] || echo N > P/a",
  "rm -rf P; [ -p P ] || echo N > P",
  "rm -rf P; mv -T Q P",
  "cp -aT --remove-destination P Q",
  "mkfifo P",
  "setfattr -n user.layerfs -v N P",
  "setfattr -x user.layerfs P",
  "[ -f P ] && cp -p P .same && printf 9876 > P; touch -r .same P; rm .same",
];

/** What only root can do. Nothing stands behind the devices of major number 240. */
const PRIVILEGED: readonly string[] = [
  "chown -h N:7 P",
  "mknod P c 240 N",
  "mknod P b 240 N",
  "setfattr -h -n trusted.layerfs -v N P",
  "setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 P",
  "rm -f P; mknod P c 240 N",
];

/** A script of `count` changes, to be run in the root of a tree. */
export function randomScript(random: () => number, count: number, asRoot: boolean): string {
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)]!;
  const path = () => {
    const depth = 1 + Math.floor(random() * 3);
    return `./${Array.from({ length: depth }, () => pick(NAMES)).join("/")}`;
  };
  const operations = asRoot ? [...OPERATIONS, ...PRIVILEGED] : OPERATIONS;
  const lines = Array.from({ length: count }, () => {
    const words: Readonly<Record<string, () => string>> = {
      P: path,
      Q: path,
      // Never out of the tree: a link is followed by what comes later.
      TARGET: () => pick(["a", "b/c", String.raw`$'r\xfe'`, "'sp ace'", "missing"]),
      N: () => String(1 + Math.floor(random() * 7)),
    };
    const chosen = new Map<string, string>();
    return pick(operations).replace(/\b(?:P|Q|TARGET|N)\b|(?<=[4@-])N|N(?=[05])/g, (word) => {
      const made = chosen.get(word) ?? words[word]!();
      chosen.set(word, made);
      return made;
    });
  });
  // Only root can read what its owner has shut, and so compare and pack it.
  const open = asRoot ? "" : "\nchmod -R u+rwX .";
  return `umask 022\nset +e\n{\n${lines.join("\n")}${open}\n} 2> /dev/null < /dev/null\nset -e`;
}
