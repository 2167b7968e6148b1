"""Runs scim2-tester against a server: `scim.py URL KEY`. Prints what failed, and how many checks passed."""

import sys

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

url, key = sys.argv[1:]
client = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
results = check_server(SyncSCIMClient(client))
failed = [r for r in results if r.status in (Status.ERROR, Status.CRITICAL)]
for result in failed:
    print(f"FAILED {result.title} {result.resource_type or ''}: {result.reason}")
passed = sum(r.status == Status.SUCCESS for r in results)
others = sorted({f"{r.title} {r.resource_type or ''}: {r.reason}" for r in results if r.status not in (Status.SUCCESS, Status.ERROR, Status.CRITICAL)})
for line in others:
    print(f"passed over: {line}")
print(f"{passed} passed, {len(failed)} failed, {len(results)} in all")
sys.exit(bool(failed) or passed == 0)
