/** As much of a card as a kiosk needs without its server: whether it is one, and the class that an age gives. */
export interface Card {
  priority: "under-6" | "aged-75" | "none";
}

const IDENTITY = /^(\d{12})\|/;
const INSURANCE = /^([A-Z]{2}\d{13}|\d{10}|\d{12})(\||$)/;
const BORN = /\|(\d{2})(\d{2})(\d{4})\|/;

/** Reads the QR of a CCCD or an insurance card; null for anything else. */
export function readCard(text: string, today: Date): Card | null {
  const shown = text.trim();
  if (!IDENTITY.test(shown) && !INSURANCE.test(shown)) return null;
  const born = BORN.exec(shown);
  if (!born) return { priority: "none" };
  const [, day, month, year] = born;
  const age = fullYears(Number(year), Number(month), Number(day), today);
  return { priority: age < 6 ? "under-6" : age >= 75 ? "aged-75" : "none" };
}

function fullYears(year: number, month: number, day: number, today: Date): number {
  const had = today.getMonth() + 1 > month || (today.getMonth() + 1 === month && today.getDate() >= day);
  return today.getFullYear() - year - (had ? 0 : 1);
}

const BOOKING = /^[A-Z0-9]{8}$/;
const TELEPHONE = /^(?:0|\+?84)\d{9}$/;

/** Reads a booking code (also the end of an address) or a telephone, however it was spaced; null for anything else. */
export function readTyped(text: string): string | null {
  const last = text.split(/[/?#=&]/).at(-1) ?? "";
  const shown = last.replace(/[\s.-]/g, "").toUpperCase();
  return BOOKING.test(shown) || TELEPHONE.test(shown) ? shown : null;
}
