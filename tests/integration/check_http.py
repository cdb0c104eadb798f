#!/usr/bin/python3
"""The edges of HTTP: hosts, tokens, bodies, ranges, tags, and requests that are none; TAP.

usage: check_http.py URL TOKEN
"""

import concurrent.futures
import json
import socket
import sys
import time

from weblib import Lab, end, ok

lab = Lab(sys.argv[1])
TOKEN = sys.argv[2]
HOST, PORT = lab.address.rsplit(":", 1)
JSON = {"Content-Type": "application/json"}
AUTH = {"Authorization": f"Bearer {TOKEN}"}


def raw(data, wait=3.0):
    """Send bytes as they are; what comes back until the server closes or is silent."""
    with socket.create_connection((HOST, int(PORT)), timeout=wait) as connection:
        got = b""
        try:
            connection.sendall(data)
            while part := connection.recv(65536):
                got += part
        except OSError:
            pass
        return got


def is_alive():
    return lab.get("/api/v1/status").status == 200


def check_hosts():
    for host, status in (("localhost", 200), (f"127.0.0.1:{PORT}", 200), ("[::1]:1", 200), ("evil.example", 403),
                         (f"localhost.evil.example:{PORT}", 403), ("127.0.0.1.nip.example", 403)):
        answer = lab.get("/api/v1/status", {"Host": host})
        ok(answer.status == status, f"Host '{host}' is answered with {status}", answer.status)
    got = raw(b"GET /api/v1/status HTTP/1.0\r\n\r\n")
    ok(b" 403 " in got.split(b"\r\n")[0], "no Host is refused", got[:200])
    answer = lab.get("/", {"Host": "evil.example"})
    ok(answer.status == 403 and b"6.12" not in answer.body, "pages are refused to foreign hosts too")


def check_tokens():
    body = json.dumps({"kernel_id": 1})
    posts = ("/api/v1/cycles", "/api/v1/cycles/1/cancel", "/api/v1/sources/x/poll")
    for target in posts:
        content = body if target.endswith("cycles") else None
        headers = JSON if content else {}
        answer = lab.ask("POST", target, content, headers)
        ok(answer.status == 401 and answer.headers.get("www-authenticate", "").startswith("Bearer"),
           f"POST {target} without a token is 401", answer.status)
        for token in ("wrong", TOKEN + "x", TOKEN[:-1], ""):
            answer = lab.ask("POST", target, content, headers | {"Authorization": f"Bearer {token}"})
            if not ok(answer.status == 403 and answer.error(), f"POST {target} with the token '{token}' is 403", answer.status):
                break
        answer = lab.ask("POST", target, content, headers | AUTH)
        ok(answer.status == 503 and "orders" in answer.error(), f"POST {target} with the token reaches the orchestrator",
           answer.status, answer.error())
    answer = lab.ask("POST", posts[0], body, JSON | {"Authorization": f"Basic {TOKEN}"})
    ok(answer.status == 401, "another scheme is 401", answer.status)


def check_bodies():
    def post(body, headers=JSON | AUTH):
        answer = lab.ask("POST", "/api/v1/cycles", body, headers)
        return answer.status, answer.error()

    for name, body, part in (
            ("no body", None, "JSON object"), ("an empty body", "", "JSON object"), ("half an object", '{"kernel_id":', "body"),
            ("an array", "[]", "object"), ("a number", "7", "body"), ("an unknown key", '{"evil":1}', "'evil'"),
            ("bytes that are not UTF-8", b'{"kernel_id":"\xff"}', "body"), ("a NUL", b'{"a":"\\u0000"}', ""),
            ("a key twice", '{"kernel_id":1,"kernel_id":2}', "body"), ("deep nesting", "[" * 100000, "body")):
        status, text = post(body)
        ok(status == 400 and part in text, f"{name} is 400 and says why", status, text)
    status, text = post('{"kernel_id":1}', AUTH | {"Content-Type": "text/plain"})
    ok(status == 415, "a body that is not JSON by its type is 415", status, text)
    status, text = post("x" * 1048577)
    ok(status == 413 and "1048576" in text, "a body that is too large is 413", status, text)
    head = (f"POST /api/v1/cycles HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nConnection: close\r\n").encode()
    got = raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 17 + b"0\r\n\r\n")
    ok(b" 413 " in got.split(b"\r\n")[0], "so is one in chunks that does not say its size", got[:200])
    got = raw(head + b"Content-Length: 99999999999999999999\r\n\r\n")
    ok(b" 413 " in got[:40] or b" 400 " in got[:40], "an absurd length is refused", got[:200])
    answer = lab.ask("GET", "/api/v1/status", "body", {})
    ok(answer.status == 400, "GET with a body is 400", answer.status)
    answer = lab.ask("POST", "/api/v1/cycles/1/cancel", "{}", JSON | AUTH)
    ok(answer.status == 400, "a body where none is wanted is 400", answer.status)


def check_targets():
    for target, status in (("/api/v1/tests/a%00b", 400), ("/%ff", 400), ("/%", 400), ("/%2e%2e/%2e%2e/etc/passwd", 404),
                           ("/static/..%2f..%2fweb.h", 404), ("/static/schemas.json", 404), ("/" + "a" * 5000, 414),
                           ("/" + "a/" * 40, 400), ("/?" + "&".join(f"p{i}=1" for i in range(40)), 400),
                           ("//", 404), ("/runs//", 404), ("/api/v1/tests/%3Cscript%3E%0d%0aX:y", 404)):
        answer = lab.get(target)
        ok(answer.status == status and "x" not in answer.headers, f"{target[:40]} is {status}", answer.status)


def check_downloads():
    kernels = lab.get("/api/v1/kernels?limit=1000").json()["items"]
    details = [lab.get(f"/api/v1/kernels/{k['kernel_id']}").json() for k in kernels]
    image = next(f for k in details for f in k["files"] if f["role"] == "image")
    config = next(f for k in details for f in k["files"] if f["role"] == "config")
    target, size = f"/api/v1/files/{image['file_id']}", image["size_bytes"]
    whole = lab.get(target)
    tag = whole.headers["etag"]
    ok(len(whole.body) == size > 3 << 20, "an image of several chunks comes whole", len(whole.body), size)
    ok(whole.headers["content-disposition"] == f"attachment; filename=\"{image['name']}\"", "under its name",
       whole.headers.get("content-disposition"))
    shown = lab.get(f"/api/v1/files/{config['file_id']}")
    ok(shown.headers["content-type"].startswith("text/plain") and "content-disposition" not in shown.headers,
       "a configuration is shown as text")
    border = 1 << 20
    for header, first, last in (("bytes=0-0", 0, 0), (f"bytes={border - 3}-{border + 3}", border - 3, border + 3),
                                (f"bytes={size - 5}-", size - 5, size - 1), ("bytes=-7", size - 7, size - 1),
                                (f"bytes=5-{size + 100}", 5, size - 1)):
        part = lab.get(target, {"Range": header})
        ok(part.status == 206 and part.body == whole.body[first:last + 1] and
           part.headers["content-range"] == f"bytes {first}-{last}/{size}", f"Range {header}", part.status, part.headers)
    for header in ("bytes=5-3", "lines=1-2", "bytes=0-1,5-6", "bytes=x"):
        part = lab.get(target, {"Range": header})
        ok(part.status == 200 and len(part.body) == size, f"Range {header} is ignored", part.status)
    part = lab.get(target, {"Range": f"bytes={size}-"})
    ok(part.status == 416 and part.headers["content-range"] == f"bytes */{size}", "a Range past the end is 416", part.status)
    part = lab.get(target, {"Range": "bytes=0-1", "If-Range": '"other"'})
    ok(part.status == 200, "If-Range with another tag gives the whole")
    for tags in (tag, f'"x", W/{tag}', "*"):
        same = lab.get(target, {"If-None-Match": tags})
        ok(same.status == 304 and not same.body and same.headers["etag"] == tag, f"If-None-Match {tags[:12]} is 304", same.status)
    ok(lab.get(target, {"If-None-Match": '"x"'}).status == 200, "another tag is not")
    by_hash = lab.get(f"/api/v1/artifacts/{image['sha256']}")
    ok(by_hash.body == whole.body and "immutable" in by_hash.headers["cache-control"], "the same by its hash, for ever")
    page = lab.get("/").body.decode()
    style = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = lab.get(style)
    ok("immutable" in answer.headers["cache-control"], "the style sheet may be kept for ever under its version")
    ok(lab.get(style, {"If-None-Match": answer.headers["etag"]}).status == 304, "and is not sent twice")
    ok("no-store" in lab.get(style.split("?")[0]).headers["cache-control"], "but not without the version")


def check_nonsense():
    for name, data in (("nothing", b""), ("zeros", b"\0" * 4096), ("noise", bytes(range(256)) * 64), ("half a line", b"GET /"),
                       ("a version", b"GET / HTTP/9.9\r\n\r\n"), ("a long header", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100000 + b"\r\n\r\n"),
                       ("many headers", b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20000 + b"\r\n"),
                       ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 400)):
        raw(data, 0.5)
        ok(is_alive(), f"{name}: the server goes on")
    idle = [socket.create_connection((HOST, int(PORT))) for _ in range(100)]
    for connection in idle[:50]:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: loc")
    ok(is_alive(), "a hundred idle connections do not lock others out")
    for connection in idle:
        connection.close()


def check_load():
    targets = ["/", "/api/v1/kernels", "/runs/1", "/verdicts/3", "/queue", "/diffs"]

    def work(worker):
        own = Lab(sys.argv[1])
        return sum(own.get(targets[(worker + i) % len(targets)]).status != 200 for i in range(30))

    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        bad = sum(pool.map(work, range(8)))
    ok(bad == 0, "240 requests from 8 clients at once are all answered", bad)
    print(f"# in {time.monotonic() - begun:.2f} s")


def main():
    for part in (check_hosts, check_tokens, check_bodies, check_targets, check_downloads, check_nonsense, check_load):
        part()
    return end()


sys.exit(main())
