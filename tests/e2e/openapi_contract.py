"""Holds real answers against client/gateway/web/openapi.json. Needs python3-jsonschema."""
import http.client
import json
import re
import urllib.parse

import jsonschema

HEADERS = ("X-Request-Id", "Server-Timing")  # of every answer
BASE = "urn:openapi"


def closed(schema):
    """The schema, with objects that may have no members beyond those it names: what is answered is documented."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        inner["additionalProperties"] = False
    return inner


class Contract:
    def __init__(self, document):
        self.document = document
        self.closed = closed(document)
        self.operations = {}  # id -> (method, path, operation)
        for path, item in document["paths"].items():
            for method, operation in item.items():
                assert operation["operationId"] not in self.operations, operation["operationId"]
                self.operations[operation["operationId"]] = (method.upper(), path, operation)

    def resolve(self, thing):
        """What a {"$ref": "#/..."} means, or the thing itself."""
        while isinstance(thing, dict) and "$ref" in thing:
            found = self.document
            for part in thing["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            thing = found
        return thing

    def check_value(self, value, schema, where):
        resolver = jsonschema.RefResolver(BASE, self.closed, store={BASE: self.closed})
        validator = jsonschema.Draft202012Validator(closed(schema), resolver=resolver,
                                                    format_checker=jsonschema.FormatChecker())
        problems = [f"{where}: {'/'.join(map(str, problem.absolute_path))}: {problem.message[:300]}"
                    for problem in validator.iter_errors(value)]
        assert not problems, problems

    def check_request(self, name, content_type, body):
        """That the documentation allows this request body."""
        media = self.resolve(self.operations[name][2]["requestBody"])["content"]
        kind = content_type.split(";")[0]
        assert kind in media or re.sub("/.*", "/*", kind) in media, f"{name}: request of {kind}"
        if kind == "application/json":
            self.check_value(json.loads(body or b"{}"), media[kind]["schema"], f"{name} request")

    def check_answer(self, name, answer):
        """That the documentation has this answer: its status, headers, content type and body."""
        responses = self.operations[name][2]["responses"]
        where = f"{name} {answer.status}"
        assert str(answer.status) in responses, f"{where} is not documented: {answer.body[:300]}"
        response = self.resolve(responses[str(answer.status)])
        for header in HEADERS:
            assert answer.headers[header], f"{where}: no {header}"
        for header, described in response.get("headers", {}).items():
            described = self.resolve(described)
            if described.get("required"):
                assert answer.headers[header], f"{where}: no {header}"
            if answer.headers[header] is not None and described["schema"].get("type") == "integer":
                int(answer.headers[header])
        if "content" not in response:
            assert answer.body == b"" and answer.headers["Content-Type"] is None, where
            return
        kind = (answer.headers["Content-Type"] or "").split(";")[0]
        assert kind in response["content"], f"{where}: {kind} is not documented"
        media = response["content"][kind]
        if "x-event-data" in media:
            for data in answer.events():
                self.check_value(data, media["x-event-data"], where)
        elif kind.endswith("json") and "schema" in media:
            self.check_value(json.loads(answer.body), media["schema"], where)
        elif "schema" in media:
            self.check_value(answer.body.decode(), media["schema"], where)
        if kind == "application/problem+json":
            assert json.loads(answer.body)["status"] == answer.status, where
            assert json.loads(answer.body)["request_id"] == answer.headers["X-Request-Id"], where


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    def events(self):
        """The data of the server-sent events, all of which must be named training."""
        blocks = self.body.decode().split("\n\n")
        assert blocks.pop() == "", "the last event does not end"
        blocks = [block for block in blocks if block != ": quiet"]
        found = [re.fullmatch("event: training\ndata: (.*)", block) for block in blocks]
        assert found and all(found), self.body[:300]
        return [json.loads(match[1]) for match in found]


def ask(address, method, path, body=None, headers=None):
    """One HTTP request."""
    connection = http.client.HTTPConnection(address, timeout=120)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def fill(path, names):
    """The path with its {name} replaced."""
    return re.sub(r"\{(\w+)\}", lambda match: urllib.parse.quote(str(names[match[1]]), safe=""), path)
