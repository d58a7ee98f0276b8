/** What to show for a pushed message: what the service worker hands to the browser. */
export interface Notice {
  title: string;
  options: NotificationOptions;
}

/** What there is to fall back on, and the pictures, as the server wrote them into the service worker. */
export interface Fallback {
  title: string;
  body: string;
  icon: string;
  badge: string;
}

/** The notice for a payload. A browser that shows nothing loses the right to be pushed to, so there always is one. */
export function notice(payload: unknown, fallback: Fallback): Notice {
  const told = typeof payload === "object" && payload !== null ? (payload as Record<string, unknown>) : {};
  const { icon, badge } = fallback;
  const options: NotificationOptions = {
    body: words(told["body"]) ?? fallback.body,
    data: { url: words(told["url"]) ?? "" },
    lang: "vi",
    icon,
    badge,
  };
  const tag = words(told["tag"]);
  if (tag) options.tag = tag;
  return { title: words(told["title"]) ?? fallback.title, options };
}

/** Where a tap leads: to the address in the notice if it is one of ours, else to one's own appointments. */
export function destination(url: unknown, origin: string): string {
  const home = new URL("/appointments", origin).href;
  if (typeof url !== "string" || url === "") return home;
  try {
    const found = new URL(url, origin);
    return found.origin === origin ? found.href : home;
  } catch {
    return home;
  }
}

function words(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" ? value : null;
}
