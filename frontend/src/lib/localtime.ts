/** Times on our pages are of Việt Nam. Who reads them elsewhere sees their own time beside. */
const HERE = "Asia/Ho_Chi_Minh";

export function sameAsThere(instant: Date, zone: string): boolean {
  const clock = (timeZone: string) => new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "short", timeStyle: "short" }).format(instant);
  return clock(zone) === clock(HERE);
}

/** The reader's own time; with the day when that is another one there. */
export function readersTime(instant: Date, zone: string): string {
  const day = (timeZone: string) => new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "short" }).format(instant);
  const time = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" }).format(instant);
  return day(zone) === day(HERE) ? time : `${time} ${day(zone)}`;
}

/** Adds to every `<time data-vn>` what its data attribute says, with `{time}` filled. */
export function showReadersTimes(zone = Intl.DateTimeFormat().resolvedOptions().timeZone): void {
  document.querySelectorAll<HTMLTimeElement>("time[data-vn]").forEach((place) => {
    const instant = new Date(place.dateTime);
    if (Number.isNaN(instant.getTime()) || sameAsThere(instant, zone)) return;
    const note = document.createElement("span");
    note.className = "th-local-time";
    note.textContent = `, ${(place.dataset.vn ?? "").replace("{time}", readersTime(instant, zone))}`;
    place.append(note);
  });
}
