import { assertEquals, assertThrows } from "@std/assert";
import { openRegularFile } from "../../src/blob/location.ts";
import { LayerfsError } from "../../src/errors.ts";

// These hold only where Deno checks permissions, as here: it resolves symlinks to do so.
Deno.test("only regular files are opened: no symlink, directory, FIFO or device", async () => {
  const dir = await Deno.makeTempDir();
  try {
    Deno.writeTextFileSync(`${dir}/file`, "12345");
    Deno.symlinkSync("file", `${dir}/relative`);
    Deno.symlinkSync(`${dir}/file`, `${dir}/absolute`);
    Deno.symlinkSync("absent", `${dir}/dangling`);
    Deno.symlinkSync("loop", `${dir}/loop`);
    await new Deno.Command("mkfifo", { args: [`${dir}/fifo`] }).output();
    const { file, size } = openRegularFile(`${dir}/file`);
    file.close();
    assertEquals(size, 5);
    const refused: [string, string, string][] = [
      [`${dir}/relative`, "image-invalid", "symbolic link"],
      [`${dir}/absolute`, "image-invalid", "symbolic link"],
      [`${dir}/dangling`, "image-invalid", "symbolic link"],
      [`${dir}/loop`, "image-invalid", "symbolic link"],
      [dir, "image-invalid", "a directory"],
      [`${dir}/fifo`, "image-invalid", "FIFO"],
      ["/dev/null", "image-invalid", "device"],
      [`${dir}/absent`, "not-found", "no such file"],
    ];
    for (const [path, code, message] of refused) {
      const error = assertThrows(() => openRegularFile(path), LayerfsError, message);
      assertEquals(error.code, code, path);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
