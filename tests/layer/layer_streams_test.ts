/** Layers that are unpacked apart, in one thread, where what is beside them fails. */

import { assert, assertEquals } from "@std/assert";
import { BELL, Board } from "../../src/layer/board.ts";
import type { Extractor } from "../../src/layer/extractor.ts";
import { LayerStreams, type LayerTaker } from "../../src/layer/layer_streams.ts";
import { createRing, RingReader, RingWriter, WRITE_READER } from "../../src/layer/ring.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { IS_ROOT } from "../fixtures/tree.ts";
import { withPlace } from "./place.ts";

/** Waits for the layers below. */
const WAITING: LayerTaker = {
  isPlain: false,
  begin: () => null,
  end: () => {},
  hasDigest: () => false,
};

Deno.test("a layer whose last files cannot be given to tar is asked for once more", () =>
  withPlace(({ scratch }) => {
    const board = Board.create(2);
    board.allowApart(1);
    const ring = createRing(board, BELL.inflate, [BELL.write]);
    const writer = new RingWriter(ring);
    const tar = tarball([file("small", "1")]);
    writer.begin({ layer: 1, attempt: 0 });
    writer.room().set(tar);
    writer.commit(tar.length);
    writer.end();
    const full: Extractor = {
      begin: () => {
        throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      },
      finish: () => [],
    };
    const again: number[] = [];
    const streams = new LayerStreams({
      board,
      readers: [new RingReader(ring, WRITE_READER)],
      extractor: full,
      apart: { scratch, asRoot: IS_ROOT, hasSkeletons: false },
      onAgain: (layer) => again.push(layer),
    });
    while (streams.turn(WAITING));
    assertEquals(again, [1]);
    assert(board.isAskedAgain(1));
    assertEquals([...Deno.readDirSync(scratch)], []);
    assert(writer.isFree);
  }));
