/** The directories of a tree: how many of them are held in memory. */

import { assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { IMPLIED_DIRECTORY } from "../../src/layer/attributes.ts";
import { Directories } from "../../src/layer/directories.ts";
import { RawNames } from "../../src/layer/raw_names.ts";
import { TarSpool } from "../../src/layer/tar_spool.ts";
import { NewFiles } from "../../src/layer/new_files.ts";
import { MAX_DIRECTORY_CHARACTERS } from "../../src/limits.ts";
import { extractNow } from "../fixtures/extract_now.ts";

Deno.test("directories whose paths together are longer than any tree's are refused", () => {
  const place = { root: "/none", scratch: "/none", asRoot: false };
  const spool = new TarSpool({ ...place, newFiles: new NewFiles(false), first: 0 }, extractNow());
  const directories = new Directories({
    ...place,
    spool,
    rawNames: new RawNames("/none", "/none"),
  });
  const half = "d".repeat(MAX_DIRECTORY_CHARACTERS / 2);
  directories.addMade(half, IMPLIED_DIRECTORY);
  directories.forget(half);
  directories.addMade(half, IMPLIED_DIRECTORY);
  const error = assertThrows(() => directories.addMade("d", IMPLIED_DIRECTORY), LayerfsError);
  assertEquals(error.code, "image-invalid");
});
