#!/usr/bin/python3
"""Follow every link of a running lab's pages; TAP.

usage: check_pages.py URL

Every page is there, is well-formed, has no script or style of its own and
shows hostile names as text.
"""

import html.parser
import sys
import urllib.parse

from weblib import Lab, end, ok

lab = Lab(sys.argv[1])
VOID = {"meta", "link", "input", "br", "img", "hr"}
OPTIONAL_END = {"li", "td", "th", "tr", "dt", "dd", "p"}  # HTML lets their end tags out
FOREIGN_VOID = {"rect", "path"}


class Page(html.parser.HTMLParser):
    """Links of a page, and what is wrong with it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.wrong, self.open, self.ids = [], [], [], set()
        self.feed(text)
        self.close()
        if self.open:
            self.wrong.append(f"not closed: {self.open}")

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        attrs = dict(attrs)
        if len(names) != len(set(names)):
            self.wrong.append(f"<{tag}> has an attribute twice: {names}")
        if "style" in attrs or tag == "style" or any(n.startswith("on") for n in names):
            self.wrong.append(f"<{tag}> has style or script of its own")
        if tag == "script" and not (attrs.get("src") or "").startswith("/static/lab.js?v="):
            self.wrong.append(f"a script that is not ours: {attrs}")
        if attrs.get("id"):
            if attrs["id"] in self.ids:
                self.wrong.append(f"id twice: {attrs['id']}")
            self.ids.add(attrs["id"])
        for name in ("href", "src", "action"):
            if name in attrs:
                self.links.append(attrs[name] or "")
        if tag not in VOID and tag not in OPTIONAL_END:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        if tag not in FOREIGN_VOID:
            self.wrong.append(f"<{tag}/>")

    def handle_endtag(self, tag):
        if tag in OPTIONAL_END:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes another element")


def crawl():
    seen, waiting, pages = set(), ["/", "/diffs/of/1/2"], {}
    while waiting:
        target = waiting.pop()
        if target in seen:
            continue
        seen.add(target)
        answer = lab.get(target)
        pages[target] = answer
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        text = answer.body.decode("utf-8", "strict")
        answer.page = Page(text)
        for link in answer.page.links:
            if not link.startswith("/"):
                answer.page.wrong.append(f"a link that leads away: {link}")
            elif link not in seen:
                waiting.append(urllib.parse.urldefrag(link).url)
    return pages


HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}


def main():
    pages = crawl()
    shown = {t: a for t, a in pages.items() if hasattr(a, "page")}
    lost = [f"{t}: {a.status}" for t, a in pages.items() if a.status != 200]
    ok(len(shown) > 100 and not lost, f"{len(pages)} addresses that pages link to are there", *lost[:10])
    wrong = [f"{t}: {w}" for t, a in shown.items() for w in a.page.wrong]
    ok(not wrong, f"{len(shown)} pages are well-formed, without script or style of their own", *wrong[:10])
    raw = [t for t, a in shown.items() if b"<script>alert" in a.body or b"\xe2\x80\xae" in a.body or b"\x1b" in a.body]
    ok(not raw, "hostile names are text", *raw)
    hostile = [t for t, a in shown.items() if b"&lt;script&gt;alert(&#39;name&#39;)" in a.body]
    ok(len(hostile) > 10, "and were there to be shown", len(hostile))
    bare = [t for t, a in pages.items() if any(a.headers.get(n) != v for n, v in HEADERS.items())
            or "default-src 'none'" not in a.headers.get("content-security-policy", "")]
    ok(not bare, "every answer has the security headers", *bare[:10])
    unsafe = [t for t, a in pages.items() if "unsafe" in a.headers.get("content-security-policy", "")]
    ok(not unsafe, "no policy allows what is written into a page", *unsafe)
    untyped = [t for t, a in pages.items() if t.startswith("/api/v1/files/") and
               "sandbox" not in a.headers["content-security-policy"]]
    ok(not untyped, "stored files come with a policy that lets them do nothing", *untyped)
    answer = lab.get("/no/such/page")
    ok(answer.status == 404 and "text/html" in answer.headers["content-type"], "what is not there is a page that says so")
    answer = lab.get("/kernels/987654321")
    ok(answer.status == 404 and b"no kernel 987654321" in answer.body, "so is a kernel that does not exist")
    answer = lab.get("/runs/%3Cscript%3E")
    ok(answer.status == 400 and b"<script>" not in answer.body.split(b"</head>")[1], "a bad address is a page too")
    return end()


sys.exit(main())
