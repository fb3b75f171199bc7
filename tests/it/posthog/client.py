"""Makes the calls that it is given with PostHog's own client, and ends when they are delivered.

The input is one document: {"url": "…", "version": "v0", "gzip": false, "historical": false, "super": {…}, "calls": […]}.
"""

import json
import sys
from datetime import datetime, timezone

from posthog import Posthog

job = json.load(sys.stdin)
client = Posthog(
    "phc_test_key_123",
    host=job["url"],
    super_properties=job["super"],
    capture_mode=job["version"],
    gzip=job["gzip"],
    historical_migration=job["historical"],
)


def common(call):
    known = {key: call[key] for key in ("distinct_id", "uuid") if key in call}
    if "time" in call:
        known["timestamp"] = datetime.fromtimestamp(call["time"], timezone.utc)
    return known


def capture(name, call, more=()):
    properties = dict(call.get("properties", {}))
    properties.update(more)
    for key in ("set", "set_once"):
        if key in call:
            properties["$" + key] = call[key]
    if call.get("without_person"):
        properties["$process_person_profile"] = False
    given = common(call)
    if "ip" in call:
        properties["$ip"] = call["ip"]
        given["disable_geoip"] = False
    if "groups" in call:
        given["groups"] = call["groups"]
    client.capture(name, properties=properties, **given)


for call in job["calls"]:
    kind = call["call"]
    if kind == "capture":
        capture(call["name"], call)
    elif kind == "page_view":
        capture("$pageview", call, {"$current_url": call["url"]})
    elif kind == "identify":
        merging = {"$anon_distinct_id": call["merging"]} if "merging" in call else {}
        capture("$identify", call, merging)
    elif kind == "set":
        client.set(properties=call["set"], **common(call))
    elif kind == "set_once":
        client.set_once(properties=call["set_once"], **common(call))
    elif kind == "alias":
        # What this client calls previous is the id that the event has.
        client.alias(previous_id=call["keep"], distinct_id=call["merge_in"])
    elif kind == "group_identify":
        client.group_identify(call["type"], call["key"], call["set"], **common(call))
    else:
        raise ValueError(kind)
client.shutdown()
