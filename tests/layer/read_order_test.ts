/** Which layer is read next. */

import { assertEquals } from "@std/assert";
import { Board } from "../../src/layer/board.ts";
import { ReadOrder } from "../../src/layer/read_order.ts";

Deno.test("the layer whose turn it is comes first, then the largest that may be apart", () => {
  const board = Board.create(4);
  const order = new ReadOrder([10, 20, 40, 30], true, board);
  board.allowApart(1);
  board.allowApart(3);
  const next = () => order.next()?.layer ?? null;
  assertEquals([next(), next(), next(), next()], [0, 3, 1, null]);
  board.advance();
  board.advance();
  assertEquals([next(), order.isOver], [2, false]);
});

Deno.test("no layer is read by two", () => {
  const board = Board.create(2);
  board.allowApart(1);
  const orders = [0, 1].map(() => new ReadOrder([10, 20], true, board));
  assertEquals(orders.map((order) => order.next()?.layer), [0, 1]);
  assertEquals(orders.map((order) => order.next()), [null, null]);
});

Deno.test("a layer that was asked for once more is read in its turn, even if nobody wants it then", () => {
  const board = Board.create(2);
  const order = new ReadOrder([10, 20], true, board);
  board.allowApart(1);
  order.next();
  order.next();
  board.askAgain(1);
  assertEquals(order.next(), null);
  board.advance();
  board.drop(1);
  // Whoever leaves it out waits for it.
  assertEquals(order.next(), { layer: 1, attempt: 1 });
  assertEquals(board.isDropped(1, 1), true);
});

Deno.test("what was begun comes to its end, also where all layers are in their tree", () => {
  const board = Board.create(2);
  const order = new ReadOrder([10, 20], true, board);
  board.allowApart(1);
  assertEquals([order.next(), order.next()].map((stream) => stream?.layer), [0, 1]);
  order.end();
  board.askAgain(1); // another thread reads it
  board.advance();
  board.advance();
  assertEquals(order.isOver, false);
  order.end();
  assertEquals(order.isOver, true);
});
