"""Parts of which a hostile registry makes its answers; {port} is its own, {other} another."""

STATUSES = (
    *(200, 200, 201, 202, 204, 206, 301, 302, 303, 307, 308, 400, 401, 401, 403, 404, 405),
    *(413, 416, 416, 500, 501, 503),
)
ODD_STATUSES = (
    *(0, 100, 101, 102, 103, 299, 300, 304, 305, 409, 410, 411, 415, 418, 422, 429, 502, 504),
    *(505, 599, 700, 999),
)
URLS = (
    *("http://127.0.0.1:{other}/x", "http://localhost:{other}/", "https://localhost/", "/v2/x"),
    *("http://[::1]:{other}/", "http://inner.example/", "https://rebound.example:{other}/"),
    *("https://six.example/", "http://link.example/latest/meta-data", "https://public.example/b"),
    *("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x", "//inner.example/x", "", "?", "#"),
    *("http://0/", "http://0x7f000001/", "http://2130706433/", "http://127.1:{other}/", "http://"),
    *("http://user:pw@127.0.0.1:{other}/", "https://10.1.2.3/", "http://[::ffff:127.0.0.1]/x"),
    *(
        "http://[",
        "http://x:99999/",
        "http://x:port/",
        "https://\xe4\xb8.example/",
        "\x00",
        "x" * 9000,
    ),
    *("../../../x", "/v2/fuzzed/blobs/uploads/1?_state=x", "http://registry.test:{port}/v2/y"),
    *("http://127.0.0.1:{port}/v2/z", "https://127.0.0.1:{port}/v2/z", "data:text/plain,x"),
)
HEADERS = (
    *("Location", "WWW-Authenticate", "Link", "Docker-Content-Digest", "Content-Type"),
    *("Content-Length", "Content-Encoding", "Retry-After", "Range", "Content-Range", "Location"),
    *("OCI-Subject", "OCI-Chunk-Min-Length", "OCI-Filters-Applied", "RateLimit-Limit", "Link"),
    *("RateLimit-Remaining", "Set-Cookie", "Transfer-Encoding", "Connection", "WWW-Authenticate"),
)
VALUES = (
    *(
        "",
        " ",
        "\x00",
        "0",
        "-1",
        "1",
        "99999999999999999999",
        "1e9",
        "nan",
        "\xff\xfe",
        "x" * 60000,
    ),
    *("sha256:" + "0" * 64, "sha256:x", "text/html; charset=\xff", "gzip", "deflate", "br", "zstd"),
    *("chunked", "close", "0-0", "0--1", "bytes 5-1/*", "0-99999999999999999999", "a=b\r\nX: y"),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "100;w=21600", ";;;", "application/json, x", "identity"),
)
CHALLENGES = (
    *('Bearer realm="{url}"', 'Bearer realm="{url}",service="s",scope="repository:x:pull"'),
    *(
        "Basic",
        'Basic realm="x"',
        "Bearer",
        'Bearer realm="',
        "Negotiate",
        ", , ,",
        "bearer realm={url}",
    ),
    *('Bearer realm="http://127.0.0.1:{port}/token",service="s"', 'Digest a="\\"', "=" * 5000),
    *('Bearer realm="http://127.0.0.1:{port}/token"', "Basic " * 3000, 'Bearer realm="\\\\\\'),
    *(
        'Basic realm="x", Bearer realm="{url}"',
        'Bearer realm="{url}", Basic',
        "Negotiate a=, Basic",
    ),
    'Basic realm="x",Bearer realm="http://127.0.0.1:{port}/token",service="s"',
)
