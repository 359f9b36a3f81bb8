"""What a schema can't say of an event, told to Schemathesis: its clock, that its id is used once, and what else a
header or a key makes of a body."""

import json
import re
import uuid
from datetime import datetime, timezone

import schemathesis
from hypothesis import strategies as st

IDS = ("event_id", "id")
TIMES = ("timestamp", "time", "sent_at")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NO_IDS = (0, 2**128 - 1)
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def is_id(text):
    return UUID.fullmatch(text) is not None and uuid.UUID(text).int not in NO_IDS


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def of_now(value):
    """The same body, sent now for the first time. What is no id or no time stays what it is."""
    if isinstance(value, list):
        return [of_now(element) for element in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, member in value.items():
        if name in IDS and isinstance(member, str) and is_id(member):
            member = str(uuid.uuid4())
        elif name in TIMES and isinstance(member, str) and TIME.fullmatch(member):
            member = now()
        elif name != "data":
            member = of_now(member)
        made[name] = member
    return made


@schemathesis.hook
def before_call(context, case, kwargs):
    # Lines are made of now. What is not touched is not judged again.
    if isinstance(case.body, (dict, list)):
        case.body = of_now(case.body)
    query = case.query or {}
    if isinstance(query.get("sent_at"), str) and TIME.fullmatch(query["sent_at"]):
        query["sent_at"] = now()


@schemathesis.hook
def before_process_path(context, path, methods):
    for operation in methods.values():
        if not isinstance(operation, dict):
            continue
        # Headers that make another body of the one that was generated: a CloudEvent's attributes, and an encoding
        # that the body would have to be of. The gateway's own tests send both.
        parameters = operation.get("parameters", [])
        operation["parameters"] = [
            parameter
            for parameter in parameters
            if not parameter.get("name", "").startswith("ce-")
            and parameter.get("$ref") != "#/components/parameters/content_encoding"
        ]
        # Taken with a publishable key only, which is not the one that is used here. The browser's tests send it.
        content = operation.get("requestBody", {}).get("content", {})
        content.pop("text/plain", None)
        # Its example is a text, and Schemathesis wants bytes where a media type is made as below.
        content.get("application/x-ndjson", {}).pop("examples", None)


def line(number, task):
    return json.dumps(
        of_now(
            {
                "event_id": "0198c0de-5f3a-7c11-9d02-6a7b8c9d0e1f",
                "session_id": "8f14e45f-ceea-467f-a9d7-6d1f0e9f1a10",
                "player_id": "p-1207",
                "seq": number,
                "event_type": "task.started",
                "timestamp": "2026-01-05T08:12:31Z",
                "data": {"task_id": task},
            }
        )
    )


def lines(tasks):
    return "\n".join(line(number, task) for number, task in enumerate(tasks)).encode()


# A schema can say no more of NDJSON than that it is a text.
TASKS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20), min_size=1, max_size=5)
schemathesis.openapi.media_type("application/x-ndjson", TASKS.map(lines))
