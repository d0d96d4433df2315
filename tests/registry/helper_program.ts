/**
 * A credential helper of the tests' own.
 *
 * @module
 */

/** A program that keeps credentials in a file beside it, and writes down how it was called. */
const HELPER = `#!/bin/sh
here=\${0%/*}
echo "$0 $*" >> "$here/calls"
case $1 in
store) /bin/cat > "$here/kept" ;;
get) read -r url
  [ -e "$here/kept" ] || { echo 'credentials not found in native keychain'; exit 1; }
  [ ! -e "$here/broken" ] || { /bin/cat "$here/kept"; exit 1; }
  /bin/cat "$here/kept" ;;
erase) /bin/rm -f "$here/kept" ;;
esac
`;

/** Writes the program. Once there is a file "broken" beside it, it fails at `get`. */
export function writeHelper(directory: string, name: string): void {
  Deno.writeTextFileSync(`${directory}/${name}`, HELPER);
  Deno.chmodSync(`${directory}/${name}`, 0o755);
}
