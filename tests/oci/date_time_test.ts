import { assertEquals } from "@std/assert";
import { dateTimeProblem } from "../../src/oci/date_time.ts";

Deno.test("dates of RFC 3339", () => {
  const right = [
    "2015-10-31T22:22:56.015925234Z",
    "0001-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2024-02-29T00:00:00+05:30",
    "2000-02-29t00:00:00z",
    "1970-01-01T00:00:00-00:00",
    "9999-12-31T23:59:59.999999999999Z",
  ];
  for (const text of right) assertEquals(dateTimeProblem(text), null, text);
});

Deno.test("what RFC 3339 does not have", () => {
  const wrong: unknown[] = [
    "",
    "2015-10-31",
    "2015-10-31T22:22:56",
    "2015-10-31 22:22:56Z",
    "2015-10-31T22:22Z",
    "2015-10-31T22:22:56,5Z",
    "2015-10-31T22:22:56.Z",
    "2015-13-01T00:00:00Z",
    "2015-00-01T00:00:00Z",
    "2015-01-00T00:00:00Z",
    "2015-04-31T00:00:00Z",
    "2015-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2015-01-01T24:00:00Z",
    "2015-01-01T00:60:00Z",
    "2015-01-01T00:00:61Z",
    "2015-01-01T00:00:00+24:00",
    "2015-01-01T00:00:00+00:60",
    "2015-01-01T00:00:00+0000",
    "15-01-01T00:00:00Z",
    "+2015-01-01T00:00:00Z",
    "2015-01-01T00:00:00Z\n",
    "Sat, 31 Oct 2015 22:22:56 GMT",
    1446330176,
    null,
  ];
  for (const text of wrong) assertEquals(typeof dateTimeProblem(text), "string", String(text));
});
