#!/usr/bin/python3
"""Hold a running lab against the OpenAPI document that it serves; TAP.

usage: check_openapi.py URL

Every path answers, every answer has its schema, every parameter is checked,
what is not in the document does not exist.
"""

import hashlib
import re
import sys
import urllib.parse

import jsonschema

from weblib import Lab, end, ok

lab = Lab(sys.argv[1])
document = lab.get("/api/v1/openapi.json").json()
PREFIX = "/api/v1"


def validator(schema):
    resolver = jsonschema.RefResolver("", document)
    return jsonschema.Draft202012Validator(schema, resolver=resolver)


def problems(schema, value):
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in validator(schema).iter_errors(value)]


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def check_document():
    ok(document.get("openapi") == "3.1.0", "the document is OpenAPI 3.1")
    wrong = [r for r in set(references(document)) if r.rsplit("/", 1)[1] not in document["components"]["schemas"]]
    ok(not wrong, "every reference leads to a schema", wrong)
    used = {r.rsplit("/", 1)[1] for r in references(document)}
    idle = sorted(set(document["components"]["schemas"]) - used)
    ok(not idle, "every schema is used", idle)
    for name, schema in document["components"]["schemas"].items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            ok(False, f"schema {name} is one", error)


def everything(path):
    """All items of a list, by way of its pages of one."""
    items, cursor = [], None
    while True:
        query = "?limit=1" + (f"&cursor={cursor}" if cursor else "")
        page = lab.get(path + query).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


def collect_values():
    """Values for the parameters of paths, from the lists."""
    listing = lambda name: lab.get(f"{PREFIX}/{name}?limit=1000").json()["items"]
    runs = listing("runs")
    kernels = listing("kernels")
    verdicts = []
    for run in runs:
        verdicts += lab.get(f"{PREFIX}/runs/{run['run_id']}/verdicts?attempts=all&limit=1000").json()["items"]
    details = [lab.get(f"{PREFIX}/kernels/{k['kernel_id']}").json() for k in kernels]
    files = [f for k in details for f in k["files"]]
    return {
        "kernel_id": [k["kernel_id"] for k in kernels],
        "run_id": [r["run_id"] for r in runs],
        "verdict_id": [v["verdict_id"] for v in verdicts],
        "test_id": sorted({v["test_id"] for v in verdicts}),
        "diff_id": [d["diff_id"] for d in listing("diffs")],
        "cycle_id": [c["cycle_id"] for c in listing("cycles")],
        "sha256": sorted({f["sha256"] for f in files}),
        "file_id": [f["file_id"] for f in files],
        "runs": runs,
        "files": {f["file_id"]: f for f in files},
    }


def quoted(value):
    return urllib.parse.quote(str(value), safe="")


def targets_of(path, values):
    """Every address that a path of the document stands for."""
    names = re.findall(r"{(\w+)}", path)
    if names == ["old_run_id", "new_run_id"]:
        for old in values["runs"]:
            for new in values["runs"]:
                if old["set"] == new["set"]:
                    yield path.format(old_run_id=old["run_id"], new_run_id=new["run_id"])
    elif not names:
        yield path
    else:
        for value in values[names[0]]:
            yield path.replace("{%s}" % names[0], quoted(value))


def check_answers(path, operation, values):
    content = operation["responses"]["200"]["content"]
    schema = content.get("application/json", {}).get("schema")
    wrong, count = [], 0
    for target in targets_of(path, values):
        answer = lab.get(target)
        count += 1
        if answer.status != 200:
            wrong.append(f"{target}: {answer.status} {answer.error()}")
        elif schema:
            if answer.headers["content-type"] != "application/json":
                wrong.append(f"{target}: {answer.headers['content-type']}")
            wrong += [f"{target}: {p}" for p in problems(schema, answer.json())]
        elif "sha256" in path and hashlib.sha256(answer.body).hexdigest() != target.rsplit("/", 1)[1]:
            wrong.append(f"{target}: other bytes than its name says")
        elif "file_id" in path:
            known = values["files"][int(target.rsplit("/", 1)[1])]
            if hashlib.sha256(answer.body).hexdigest() != known["sha256"]:
                wrong.append(f"{target}: other bytes than the list says")
    ok(count > 0 and not wrong, f"GET {path}: {count} answers are as described", *wrong[:10])


def a_target(path, values):
    return next(targets_of(path, values))


WRONG = {
    "integer": ["0", "-1", "x", "", "1.5", "99999999999999999999", "01", "1%20"],
    "enum": ["nonsense", "", "%3Cscript%3E"],
    "string": [""],
}


def check_parameters(path, operation, values):
    target = a_target(path, values)
    wrong = []

    def refuse(question, name):
        answer = lab.get(question)
        if answer.status != 400 or f"'{name}'" not in answer.error():
            wrong.append(f"{question}: {answer.status} {answer.error()}, wanted 400 naming '{name}'")

    for parameter in operation["parameters"]:
        name, schema = parameter["name"], parameter["schema"]
        if parameter["in"] == "path":
            if schema["type"] == "integer":
                for value in ("0", "-1", "x", "99999999999999999999"):
                    refuse(path.replace("{%s}" % name, value).replace("{new_run_id}", "1").replace("{old_run_id}", "1"), name)
            continue
        kind = "enum" if "enum" in schema else schema["type"]
        for value in WRONG[kind]:
            refuse(f"{target}?{name}={value}", name)
        good = schema.get("enum", ["1"])[0]
        answer = lab.get(f"{target}?{name}={good}")
        if answer.status != 200:
            wrong.append(f"{target}?{name}={good}: {answer.status} {answer.error()}")
        refuse(f"{target}?{name}={good}&{name}={good}", name)
    refuse(f"{target}?no_such_parameter=1", "no_such_parameter")
    ok(not wrong, f"GET {path}: wrong parameters are refused by name", *wrong[:10])


UNKNOWN = {"sha256": "0" * 64, "test_id": "no.such.test"}


def check_unknown(path):
    names = re.findall(r"{(\w+)}", path)
    if not names:
        return
    target = path
    for name in names:
        target = target.replace("{%s}" % name, UNKNOWN.get(name, "987654321"))
    answer = lab.get(target)
    error = problems({"$ref": "#/components/schemas/Error"}, answer.json())
    ok(answer.status == 404 and not error, f"GET {path}: what does not exist is 404", answer.status, error)


def check_methods(path, item, values):
    target = path.replace("{name}", "x")
    for name in re.findall(r"{(\w+)}", target):
        target = target.replace("{%s}" % name, "1")
    wrong = []
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        if method.lower() in item:
            continue
        answer = lab.ask(method, target)
        allow = answer.headers.get("allow", "")
        if answer.status != 405 or not all(m.upper() in allow for m in item):
            wrong.append(f"{method} {target}: {answer.status} Allow: {allow}")
    if "get" in item:
        target = a_target(path, values)
        head, get = lab.ask("HEAD", target), lab.get(target)
        if head.status != 200 or head.body or head.headers.get("content-length") != get.headers.get("content-length"):
            wrong.append(f"HEAD {target}: {head.status}, {len(head.body)} bytes")
    ok(not wrong, f"{path}: other methods are refused, HEAD is GET without body", *wrong)


def check_undocumented():
    wrong = []
    for path in document["paths"]:
        for near in (path + "/", path + "/x", path.replace("/v1/", "/v2/"), path.upper()):
            near = re.sub(r"{\w+}", "1", near)
            if any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", p), near) for p in document["paths"]):
                continue
            status = lab.get(near).status
            if status != 404:
                wrong.append(f"{near}: {status}")
    for path in ("/api/v1", "/api/", "/api/v1/", "/api/v1/tests", "/api/v1/verdicts", "/api/v1/token", "/api/v1/config"):
        if lab.get(path).status != 404:
            wrong.append(path)
    ok(not wrong, "what is not in the document does not exist", *wrong[:10])


def check_paging():
    wrong = []
    for path, item in document["paths"].items():
        names = {p["name"] for p in item.get("get", {}).get("parameters", [])}
        if "cursor" not in names or "{" in path:
            continue
        whole = lab.get(f"{path}?limit=1000").json()["items"]
        if everything(path) != whole:
            wrong.append(path)
    run = lab.get(f"{PREFIX}/runs?limit=1").json()["items"][0]["run_id"]
    path = f"{PREFIX}/runs/{run}/verdicts"
    if everything(path) != lab.get(path).json()["items"]:
        wrong.append(path)
    ok(not wrong, "pages of one make the whole list", *wrong)


def check_one_layer(values):
    """Facts that several answers hold are the same in each."""
    wrong = []
    for run in values["runs"]:
        verdicts = lab.get(f"{PREFIX}/runs/{run['run_id']}/verdicts?limit=1000").json()["items"]
        counts = {}
        for verdict in verdicts:
            counts[verdict["verdict"]] = counts.get(verdict["verdict"], 0) + 1
        if counts != run["counts"]:
            wrong.append(f"run {run['run_id']}: {counts} and {run['counts']}")
    for diff in values["diff_id"]:
        stored = lab.get(f"{PREFIX}/diffs/{diff}").json()
        now = lab.get(f"{PREFIX}/diffs/of/{stored['old_run_id']}/{stored['new_run_id']}").json()
        for key in ("diff_id", "why", "created_us"):
            stored.pop(key), now.pop(key)
        if stored != now:
            wrong.append(f"diff {diff}: {stored} and {now}")
    ok(not wrong, "counts and diffs agree wherever they are shown", *wrong[:5])


def main():
    values = collect_values()
    check_document()
    for path, item in document["paths"].items():
        if "get" in item:
            check_answers(path, item["get"], values)
            check_parameters(path, item["get"], values)
            check_unknown(path)
        check_methods(path, item, values)
    check_undocumented()
    check_paging()
    check_one_layer(values)
    return end()


sys.exit(main())
