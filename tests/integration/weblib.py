"""HTTP and TAP for the tests of the web side: one request at a time, nothing assumed."""

import http.client
import json
import urllib.parse

count = 0
failures = 0


def ok(passed, name, *why):
    """Print one TAP line; `why` explains a failure."""
    global count, failures
    count += 1
    print(f"{'ok' if passed else 'not ok'} {count} - {name}")
    if not passed:
        failures += 1
        for line in why:
            for part in str(line)[:2000].splitlines():
                print(f"# {part}")
    return passed


def end():
    """Print the plan and return the exit status."""
    print(f"1..{count}")
    return 1 if failures or not count else 0


class Answer:
    """Status, headers and body of an answer."""

    def __init__(self, raw):
        self.status = raw.status
        self.headers = {name.lower(): value for name, value in raw.getheaders()}
        self.body = raw.read()

    def json(self):
        return json.loads(self.body)

    def error(self):
        """The text of an API error, "" if it is none."""
        try:
            return self.json()["error"]["text"]
        except (ValueError, KeyError, TypeError):
            return ""


class Lab:
    """A server at `url`; keeps its connection open between requests."""

    def __init__(self, url):
        self.address = urllib.parse.urlsplit(url).netloc
        self.connection = None

    def ask(self, method, target, body=None, headers=None):
        for attempt in (1, 2):
            if not self.connection:
                self.connection = http.client.HTTPConnection(self.address, timeout=20)
            try:
                self.connection.request(method, target, body, headers or {})
                return Answer(self.connection.getresponse())
            except (http.client.HTTPException, ConnectionError):
                self.connection.close()
                self.connection = None
                if attempt == 2:
                    raise

    def get(self, target, headers=None):
        return self.ask("GET", target, None, headers)
