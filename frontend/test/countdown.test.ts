import { expect, it } from "vitest";
import { clock } from "../src/lib/countdown";

it("tells minutes and seconds as people read them", () => {
  expect([300, 65, 9, 0].map(clock)).toEqual(["5:00", "1:05", "0:09", "0:00"]);
});
