"""Which pages may open a socket: only our own. A ticket in a foreign page's hands opens nothing."""

from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def allowed_origins(public_base_url: str) -> frozenset[str]:
    """Return the origins of the product's own pages; on a loopback address all its names count as one."""
    parts = urlsplit(public_base_url)
    host, colon, port = parts.netloc.rpartition(":") if parts.port else (parts.netloc, "", "")
    hosts = LOOPBACK if host in LOOPBACK else (host,)
    return frozenset(f"{parts.scheme}://{name}{colon}{port}" for name in hosts)
