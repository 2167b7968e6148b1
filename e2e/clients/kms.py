"""AWS KMS as moto imitates it, with signatures and permissions checked.

Prints a line of JSON: where it listens, a key, and an access key that may use it. Then does what each line on standard input says:
"forbid" the access key to use it, or "permit" it, and says "done".
"""
import json
import os
import sys

# Requests of ours before permissions are looked at.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "8"

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://127.0.0.1:{port}"


def client(service, key="setup", secret="setup"):
    return boto3.client(
        service, region_name="eu-central-1", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret
    )


iam, kms = client("iam"), client("kms")


def user(name, actions):
    iam.create_user(UserName=name)
    permit(iam, name, actions)
    access = iam.create_access_key(UserName=name)["AccessKey"]
    return access["AccessKeyId"], access["SecretAccessKey"]


def permit(iam, name, actions):
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(allow))


GATEWAY = ["kms:Encrypt", "kms:Decrypt"]
(id, secret), admin = user("gateway", GATEWAY), client("iam", *user("admin", "iam:*"))
key = kms.create_key()["KeyMetadata"]["KeyId"]
other = kms.create_key()["KeyMetadata"]["KeyId"]
print(json.dumps({"url": url, "key": key, "other": other, "id": id, "secret": secret}), flush=True)
for line in sys.stdin:
    if line.strip() == "forbid":
        admin.delete_user_policy(UserName="gateway", PolicyName="policy")
    elif line.strip() == "permit":
        permit(admin, "gateway", GATEWAY)
    print("done", flush=True)
server.stop()
