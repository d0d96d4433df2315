/** Datasets of a store that are not there: what is said, again and again, and what mends it. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { unmount } from "../../src/container/mount.ts";
import { Ground, refusal } from "./ground.ts";

for (const place of ["in the store", "elsewhere"]) {
  Deno.test(`a create says what is missing each time, and leaves nothing once it is there: ${place}`, async () => {
    await using ground = new Ground();
    const image = await ground.image(await ground.tree("echo content > f"));
    await ground.create(image, "web");
    await unmount(ground.work, "web");
    await ground.rename(ground.dataset, `${ground.dataset}-away`);
    const bundle = `${ground.path}/bundle`;
    const more = place === "elsewhere" ? { bundle } : {};
    for (let round = 0; round < 3; round++) {
      const error = await refusal(() => ground.create(image, "new", more));
      assertEquals([round, error.code], [round, "environment-missing"]);
      assertStringIncludes(error.message, `there is no dataset "${ground.dataset}"`);
    }
    await ground.rename(`${ground.dataset}-away`, ground.dataset);
    await ground.create(image, "new", more);
    await ground.remove("new");
    assertEquals(await ground.problems(false), []);
  });
}
