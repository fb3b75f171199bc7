"""Makes the calls that it is given with Snowplow's own tracker, and ends when they are delivered.

The input is one document: {"url": "…", "method": "post", "base64": true, "subject": {…}, "calls": […]}.
"""

import json
import logging
import sys

from snowplow_tracker import (
    Emitter,
    PagePing,
    PageView,
    SelfDescribing,
    SelfDescribingJson,
    StructuredEvent,
    Subject,
    Tracker,
)

SETTERS = {
    "p": Subject.set_platform,
    "uid": Subject.set_user_id,
    "duid": Subject.set_domain_user_id,
    "tnuid": Subject.set_network_user_id,
    "sid": Subject.set_domain_session_id,
    "vid": Subject.set_domain_session_index,
    "ip": Subject.set_ip_address,
    "ua": Subject.set_useragent,
    "lang": Subject.set_lang,
    "tz": Subject.set_timezone,
    "cd": Subject.set_color_depth,
    "res": lambda subject, size: subject.set_screen_resolution(*map(int, size.split("x"))),
    "vp": lambda subject, size: subject.set_viewport(*map(int, size.split("x"))),
}


def subject_of(fields):
    subject = Subject().set_platform("srv")
    for name, value in fields.items():
        if name in SETTERS:
            SETTERS[name](subject, value)
    return subject


def event_of(call):
    fields = call["fields"]
    common = {
        # It hides the platform of the tracker's, so it has everything itself.
        "event_subject": subject_of({**job["subject"], **fields}),
        "context": [SelfDescribingJson(*entity) for entity in call.get("entities", [])],
        "true_timestamp": fields.get("ttm"),
    }
    page = (fields.get("url"), fields.get("page"), fields.get("refr"))
    kind = call["call"]
    if kind == "page_view":
        return PageView(*page, **common)
    if kind == "page_ping":
        offsets = [fields.get(name) for name in ("pp_mix", "pp_max", "pp_miy", "pp_may")]
        return PagePing(*page, *offsets, **common)
    if kind == "structured":
        what = [fields.get(name) for name in ("se_ca", "se_ac", "se_la", "se_pr", "se_va")]
        return StructuredEvent(*what, **common)
    if kind == "self_describing":
        return SelfDescribing(SelfDescribingJson(*call["data"]), **common)
    raise ValueError(kind)


job = json.load(sys.stdin)
# Of every request there is a line otherwise.
logging.disable(logging.INFO)
emitter = Emitter(job["url"], method=job["method"], batch_size=50 if job["method"] == "post" else 1)
tracker = Tracker(
    "ns1",
    emitter,
    subject=subject_of(job["subject"]),
    app_id="my-app",
    encode_base64=job["base64"],
)
for call in job["calls"]:
    tracker.track(event_of(call))
emitter.flush()
