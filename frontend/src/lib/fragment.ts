/** Replaces an element's content with a part of the page that the server renders. Returns whether it came. */
export async function refresh(place: HTMLElement, address: string): Promise<boolean> {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10_000) });
    if (!answer.ok || answer.redirected) return false;
    const html = await answer.text();
    if (html !== place.dataset.shown) place.innerHTML = html;
    place.dataset.shown = html;
    return true;
  } catch {
    return false;
  }
}

/** Runs `task` soon, once for any number of calls meanwhile; the delay spreads a hall of phones. */
export function soon(task: () => void, spreadMs: number, random: () => number = Math.random): () => void {
  let pending: ReturnType<typeof setTimeout> | undefined;
  return () => {
    pending ??= setTimeout(() => {
      pending = undefined;
      task();
    }, random() * spreadMs);
  };
}
