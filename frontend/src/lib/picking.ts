/** A choice of a list, by its place in it. */
export interface Choice {
  at: number;
  text: string;
}

/** Returns the text as it is looked up: lower case, without marks, its words apart. */
export function words(text: string): string[] {
  const plain = text.toLowerCase().replaceAll("đ", "d").normalize("NFD").replace(/\p{M}/gu, "");
  return plain.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
}

/** Returns the choices that what was typed may mean: each word begins one of theirs, or is their first letters ("tmh"). */
export function found(choices: readonly Choice[], typed: string): Choice[] {
  const asked = words(typed);
  const begun = choices.filter((choice) => fits(words(choice.text), asked));
  const short = choices.filter((choice) => !begun.includes(choice) && abbreviated(words(choice.text), asked));
  return [...begun, ...short];
}

function fits(own: string[], asked: string[]): boolean {
  return asked.every((word) => own.some((each) => each.startsWith(word)));
}

function abbreviated(own: string[], asked: string[]): boolean {
  const [letters, ...more] = asked;
  if (letters === undefined || letters.length < 2 || more.length > 0) return false;
  return own.map((word) => word[0]).join("").includes(letters);
}
