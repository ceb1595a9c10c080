"""Checks a server's SCIM 2.0 with the client and the tester of scim2-tester. Arguments: the address; the key comes by SCIM_KEY.

Prints one line of JSON: how many checks passed, and those that did not.
"""

import json
import os
import sys

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

if not hasattr(httpx2.URL, "origin"):
    # The client asks for it; this version of the library names its parts only.
    httpx2.URL.origin = property(lambda url: (url.scheme, url.host, url.port))

http = httpx2.Client(
    base_url=sys.argv[1], headers={"Authorization": "Bearer " + os.environ["SCIM_KEY"]}, trust_env=False, timeout=30
)
client = SyncSCIMClient(http)
client.discover()
results = check_server(client)
wrong = [f"{one.title}: {one.reason}" for one in results if one.status.name not in ("SUCCESS", "SKIPPED")]
print(json.dumps({"passed": sum(one.status.name == "SUCCESS" for one in results), "wrong": wrong}))
