const format = new Intl.DateTimeFormat("vi-VN", { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "Asia/Ho_Chi_Minh" });

/** Keeps every `data-clock` of the page at the province's time, counted from the server's clock. */
export function runClocks(): void {
  document.querySelectorAll<HTMLTimeElement>("time[data-clock]").forEach((clock) => {
    const ahead = Date.parse(clock.dateTime) - Date.now();
    const show = () => (clock.textContent = format.format(Date.now() + ahead));
    show();
    setInterval(show, 1_000);
  });
}
