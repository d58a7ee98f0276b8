/** A slip as the print agent takes it (telehealth/printing/slips.py). */
export interface Slip {
  key: string;
  [part: string]: unknown;
}

const PRINTING_TAKES_AT_MOST_MS = 20_000;

/**
 * Asks the print agent on this machine; where there is none, the browser's own print does it, which says nothing of
 * paper. Returns the agent's outcome.
 */
export async function printed(agent: string, slip: Slip): Promise<string> {
  const answer = agent ? await asked(agent, slip) : null;
  return answer ?? byBrowser();
}

async function asked(agent: string, slip: Slip): Promise<string | null> {
  let answer: Response;
  try {
    answer = await fetch(`${agent}/print`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(slip),
      signal: AbortSignal.timeout(PRINTING_TAKES_AT_MOST_MS),
    });
  } catch (error) {
    return error instanceof DOMException && error.name === "TimeoutError" ? "stalled" : null;
  }
  if (!answer.ok) return "broken";
  return String(((await answer.json()) as { outcome: unknown }).outcome);
}

function byBrowser(): Promise<string> {
  return new Promise((resolve) => {
    window.addEventListener("afterprint", () => resolve("printed"), { once: true });
    setTimeout(() => window.print(), 100);
  });
}
