/** What the template puts into the page: addresses and every text, as JSON in a data block. */
export interface RoomConfig {
  ticketUrl: string;
  socketUrl: string;
  lineUrl: string;
  /** Only who may end the visit has it. */
  endUrl: string | null;
  texts: Readonly<Record<string, string>>;
}

export function readConfig(root: HTMLElement): RoomConfig {
  const block = root.querySelector<HTMLScriptElement>('script[type="application/json"]');
  return JSON.parse(block?.textContent ?? "{}") as RoomConfig;
}

/** Returns a text with its `{name}` places filled. Throws where the template forgot it. */
export function textOf(config: RoomConfig, key: string, values: Record<string, string> = {}): string {
  const pattern = config.texts[key];
  if (pattern === undefined) throw new Error(`text "${key}" is missing`);
  return pattern.replace(/\{(\w+)\}/g, (place, name: string) => values[name] ?? place);
}

/** Returns the WebSocket address of a path on this origin. */
export function socketAddress(path: string): string {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
