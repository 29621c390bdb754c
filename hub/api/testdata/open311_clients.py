"""Runs two published Open311 clients against a server and prints what they say.

civicbot and georeport are on PyPI; nobody here wrote them.
Usage: open311_clients.py BASE KEY JURISDICTION create|read [REQUEST_ID]
"""
import json
import sys

from civicbot.http import HttpTransport, RateLimiter
from civicbot.open311 import Open311Client, Open311Error
from civicbot.registry import Endpoint
from georeport import GeoReport

base, key, jurisdiction, what = sys.argv[1:5]
client = Open311Client(
    Endpoint(id="city", name="city", base_url=base, write=True),
    HttpTransport(rate_limiter=RateLimiter(0)), jurisdiction_id=jurisdiction)
out = {}
if what == "create":
    services = client.list_services()
    out["services"] = services
    code = next(s["service_code"] for s in services if s["service_code"].endswith("component_0101"))
    out["definition"] = client.get_service_definition(code)
    sent = dict(api_key=key, lat=30.2, lng=120.1, description="井盖丢失 & <b>\nsecond line", email="zhang@example.org",
                first_name="某某", last_name="张", phone="13800138000", media_url="https://example.org/p.jpg",
                attributes={"size": "1", "tags": ["a", "b"]}, validate_remote=True, dry_run=False, confirm="SEND")
    out["created"] = client.create_request(code, **sent).response
    out["again"] = client.create_request(code, **sent).response
    try:
        client.create_request(code, **dict(sent, api_key="wrong"))
        out["refused"] = ""
    except Exception as e:
        out["refused"] = str(e)
else:
    number = sys.argv[5]
    out["one"] = client.get_request(number)
    out["token"] = client.get_token(number)
    out["listed"] = client.list_requests(service_request_ids=[number, "nothing"])
    out["open"] = client.list_requests(status="open", page_size=10)
    out["closed"] = client.list_requests(status="closed", start_date="2026-11-01T00:00:00Z", end_date="2026-12-01T00:00:00Z")
    for form in ("xml", "json"):
        other = GeoReport(base, jurisdiction=jurisdiction, output_format=form)
        services = other.get_service_list()
        out[form] = {
            "services": [s["service_code"] for s in services],
            "definition": other.get_service_definition(services[0]["service_code"])["service_code"],
            "requests": other.get_service_requests(service_code=services[0]["service_code"]),
            "request": other.get_service_request(number),
        }
print(json.dumps(out, ensure_ascii=False))
