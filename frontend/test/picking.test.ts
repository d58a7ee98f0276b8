import { expect, test } from "vitest";
import { found, words } from "../src/lib/picking";

const NAMES = ["Khám nội tổng quát", "Khám tai mũi họng", "Khám da liễu", "Đo điện tim", "Nội soi tai mũi họng"];
const choices = NAMES.map((text, at) => ({ at, text }));
const texts = (typed: string) => found(choices, typed).map((choice) => choice.text);

test("a name is found by the beginnings of its words, without marks and in any order", () => {
  expect(texts("tai mui")).toEqual(["Khám tai mũi họng", "Nội soi tai mũi họng"]);
  expect(texts("họng k")).toEqual(["Khám tai mũi họng"]);
  expect(texts("DIEN")).toEqual(["Đo điện tim"]);
});

test("the first letters of its words find it too, after those that begin so", () => {
  expect(texts("tmh")).toEqual(["Khám tai mũi họng", "Nội soi tai mũi họng"]);
  expect(texts("kdl")).toEqual(["Khám da liễu"]);
  expect(texts("t")).toEqual(["Khám nội tổng quát", "Khám tai mũi họng", "Đo điện tim", "Nội soi tai mũi họng"]);
});

test("what fits nothing finds nothing, and nothing typed leaves the whole list", () => {
  expect(texts("răng")).toEqual([]);
  expect(texts("  ")).toEqual(NAMES);
});

test("words stand apart and without marks, however they are composed", () => {
  expect(words("Đẻ  mổ, (sản) 2")).toEqual(["de", "mo", "san", "2"]);
  expect(words("tổng".normalize("NFD"))).toEqual(["tong"]);
});
