/**
 * Rules of rebase as a table: what a container and a new image have done to the same tree, and what
 * the container is then.
 *
 * @module
 */

/** One rule. Scripts run in the root of a tree that {@linkcode BASE} has made. */
export interface RebaseCase {
  readonly name: string;
  /** What the container does. */
  readonly ours: string;
  /** What the new image does. */
  readonly theirs: string;
  /** What the container is where conflicts are settled for it; the tree is the new image's. */
  readonly whenOurs: string | null;
  /** The same where they are settled for the new image; absent where there are none. */
  readonly whenTheirs?: string;
  /** `OURS THEIRS PATH` each. */
  readonly conflicts?: readonly string[];
}

/** The tree that both sides begin with. */
export const BASE = `
mkdir -p d/sub e gone/deep; printf a > d/a; printf b > d/b; printf c > d/sub/c
printf x > e/x; printf one > one; ln one twin; printf f > gone/deep/f; ln -s e link
printf same > same; find . -exec touch -h -d @1000000000 {} +`;

/** Conflicts are settled both ways; where there are none, both ways and "fail" give the same. */
export const CASES: readonly RebaseCase[] = [
  { name: "nothing on either side", ours: "", theirs: "", whenOurs: "" },
  { name: "a new file", ours: "echo > d/new", theirs: "printf A > d/a", whenOurs: "echo > d/new" },
  { name: "content", ours: "printf B > d/b", theirs: "rm d/a", whenOurs: "printf B > d/b" },
  { name: "a removed file", ours: "rm d/b", theirs: "printf A > d/a", whenOurs: "rm d/b" },
  { name: "a removed directory", ours: "rm -r gone", theirs: "echo > n", whenOurs: "rm -r gone" },
  {
    name: "an emptied directory hides none of the new image's files",
    ours: "rm -r d/*",
    theirs: "echo > d/new",
    whenOurs: "rm -r d/a d/b d/sub",
  },
  { name: "a mode", ours: "chmod 600 d/a", theirs: "echo > d/n", whenOurs: "chmod 600 d/a" },
  {
    name: "the mode of a directory, and a new file in it",
    ours: "chmod 700 d",
    theirs: "echo > d/n; rm d/a",
    whenOurs: "chmod 700 d",
  },
  {
    name: "the new image's mode of a directory, and our file in it",
    ours: "echo > d/n",
    theirs: "chmod 700 d",
    whenOurs: "echo > d/n",
  },
  {
    name: "two modes of a directory",
    ours: "chmod 700 d",
    theirs: "chmod 750 d",
    whenOurs: "chmod 700 d",
    whenTheirs: "",
    conflicts: ["M M /d"],
  },
  {
    name: "two contents",
    ours: "printf A > d/a",
    theirs: "printf Z > d/a",
    whenOurs: "printf A > d/a",
    whenTheirs: "",
    conflicts: ["M M /d/a"],
  },
  {
    name: "two contents, and what is not at odds",
    ours: "printf A > d/a; echo > d/n; rm e/x",
    theirs: "printf Z > d/a; printf Y > d/b",
    whenOurs: "printf A > d/a; echo > d/n; rm e/x",
    whenTheirs: "echo > d/n; rm e/x",
    conflicts: ["M M /d/a"],
  },
  {
    name: "the same content",
    ours: "printf A > d/a",
    theirs: "printf A > d/a",
    whenOurs: "",
  },
  { name: "the same new file", ours: "echo > n", theirs: "echo > n", whenOurs: "" },
  {
    name: "two new files of one name",
    ours: "echo 1 > n",
    theirs: "echo 2 > n",
    whenOurs: "echo 1 > n",
    whenTheirs: "",
    conflicts: ["A A /n"],
  },
  {
    name: "two new directories of one name",
    ours: "mkdir n; echo > n/ours",
    theirs: "mkdir n; echo > n/theirs",
    whenOurs: "echo > n/ours",
  },
  {
    name: "a new directory and a new file of one name",
    ours: "mkdir n; echo > n/f",
    theirs: "echo > n",
    whenOurs: "rm n; mkdir n; echo > n/f",
    whenTheirs: "",
    conflicts: ["A A /n"],
  },
  { name: "removed on both sides", ours: "rm d/a", theirs: "rm -r d", whenOurs: "" },
  {
    name: "removed here, changed there",
    ours: "rm d/a",
    theirs: "printf Z > d/a",
    whenOurs: "rm d/a",
    whenTheirs: "",
    conflicts: ["D M /d/a"],
  },
  {
    name: "changed here, removed there",
    ours: "printf A > d/a",
    theirs: "rm d/a",
    whenOurs: "printf A > d/a",
    whenTheirs: "",
    conflicts: ["M D /d/a"],
  },
  {
    name: "a directory removed here, a file in it changed there, and one new, and one removed",
    ours: "rm -r d",
    theirs: "printf Z > d/a; echo > d/n; rm d/b",
    whenOurs: "rm -r d",
    whenTheirs: "",
    conflicts: ["D M /d/a", "D A /d/n"],
  },
  {
    name: "a directory removed there, a file in it changed here, and one new",
    ours: "printf A > gone/deep/f; echo > gone/n",
    theirs: "rm -r gone",
    whenOurs: "mkdir -p gone/deep; printf A > gone/deep/f; echo > gone/n",
    whenTheirs: "",
    conflicts: ["M D /gone/deep/f", "A D /gone/n"],
  },
  {
    name: "a directory removed there, only its time changed here",
    ours: "touch gone",
    theirs: "rm -r gone",
    whenOurs: "",
  },
  {
    name: "a file in the place of a directory",
    ours: "rm -r gone; echo > gone",
    theirs: "echo > n",
    whenOurs: "rm -r gone; echo > gone",
  },
  {
    name: "a file in the place of a directory that has a new file",
    ours: "rm -r gone; echo > gone",
    theirs: "echo > gone/n",
    whenOurs: "rm -r gone; echo > gone",
    whenTheirs: "",
    conflicts: ["D A /gone/n"],
  },
  {
    name: "a directory in the place of a file that was changed",
    ours: "rm same; mkdir same; echo > same/f",
    theirs: "printf SAME > same",
    whenOurs: "rm same; mkdir same; echo > same/f",
    whenTheirs: "",
    conflicts: ["M M /same"],
  },
  {
    name: "a symlink there in the place of a directory with changes here",
    ours: "printf C > d/sub/c",
    theirs: "rm -r d/sub; ln -s ../e d/sub",
    whenOurs: null,
    whenTheirs: "",
    conflicts: ["M D /d/sub/c"],
  },
  {
    name: "a symlink there in the place of a directory, with another mode here",
    ours: "chmod 700 gone",
    theirs: "rm -r gone; ln -s e gone",
    whenOurs: null,
    whenTheirs: "",
    conflicts: ["M M /gone"],
  },
  {
    name: "times alone contradict nothing",
    ours: "touch -d @1 d/a; printf B > d/b",
    theirs: "printf Z > d/a; touch -d @2 d/b",
    whenOurs: "printf B > d/b",
  },
  { name: "another target", ours: "ln -sfn d link", theirs: "", whenOurs: "ln -sfn d link" },
  { name: "a new name of a file", ours: "ln same new", theirs: "", whenOurs: "ln same new" },
  {
    name: "a new name of a file that has changed there is a name of what it is now",
    ours: "ln same new",
    theirs: "printf SAME > same",
    whenOurs: "ln same new",
  },
  {
    name: "a new name of a file that is gone there",
    ours: "ln same new",
    theirs: "rm same",
    whenOurs: "printf same > new",
  },
  {
    name: "content of a file with two names",
    ours: "printf ONE > one; ln -f one twin", // overlayfs parts the names
    theirs: "echo > n",
    whenOurs: "printf ONE > one",
  },
  {
    name: "names that part here",
    ours: "cat one > .t; touch -r one .t; mv .t one",
    theirs: "echo > n",
    whenOurs: "cat one > .t; touch -r one .t; mv .t one",
  },
  {
    name: "names that part here, with new content there",
    ours: "cat one > .t; touch -r one .t; mv .t one",
    theirs: "printf ONE > one",
    whenOurs: "",
  },
  {
    name: "one of two names replaced here",
    ours: "rm one; echo new > one",
    theirs: "echo > n",
    whenOurs: "rm one; echo new > one",
  },
  {
    name: "names that are no UTF-8",
    ours: String.raw`echo > $'d/\xff'; mkdir $'\xfe'; echo > $'\xfe/f'`,
    theirs: "printf A > d/a",
    whenOurs: String.raw`echo > $'d/\xff'; mkdir $'\xfe'; echo > $'\xfe/f'`,
  },
  {
    name: "an extended attribute",
    ours: "setfattr -n user.layerfs -v 1 d/a",
    theirs: "setfattr -n user.layerfs -v 2 d/a; printf B > d/b",
    whenOurs: "setfattr -n user.layerfs -v 1 d/a",
    whenTheirs: "",
    conflicts: ["M M /d/a"],
  },
];
