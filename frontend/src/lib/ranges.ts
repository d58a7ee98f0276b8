/** A browser asks for sound in parts, and plays nothing that comes whole instead. */
export async function slice(whole: Response, range: string): Promise<Response> {
  const bytes = await whole.arrayBuffer();
  const [, from = "0", to = ""] = /bytes=(\d+)-(\d*)/.exec(range) ?? [];
  const [first, last] = [Number(from), to ? Number(to) : bytes.byteLength - 1];
  const headers = new Headers(whole.headers);
  headers.set("Content-Range", `bytes ${first}-${last}/${bytes.byteLength}`);
  headers.set("Content-Length", String(last - first + 1));
  return new Response(bytes.slice(first, last + 1), { status: 206, headers });
}
