"""Object storage as moto imitates S3, with signatures and permissions checked.

Prints a line of JSON: where it listens, a bucket with object lock, one without, and an access key that may read and write there and
remove nothing. Then each line on standard input is a call of the S3 API, `{"call": "delete_object", "args": {...}}`, made by somebody who
may do everything; the answer is a line of JSON, with what went wrong in `error`. Bodies go both ways in base64.
"""
import base64
import json
import os
import sys

# Requests of ours before permissions are looked at.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "8"

import boto3
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://127.0.0.1:{port}"


def client(service, key="setup", secret="setup"):
    return boto3.client(
        service, region_name="eu-central-1", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret
    )


def user(name, actions):
    iam.create_user(UserName=name)
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(allow))
    access = iam.create_access_key(UserName=name)["AccessKey"]
    return access["AccessKeyId"], access["SecretAccessKey"]


GATEWAY = [
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:PutObject",
    "s3:PutObjectRetention",
]
iam, setup = client("iam"), client("s3")
where = {"LocationConstraint": "eu-central-1"}
setup.create_bucket(Bucket="evidence", CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
setup.create_bucket(Bucket="plain", CreateBucketConfiguration=where)
(id, secret), admin = user("gateway", GATEWAY), client("s3", *user("admin", "s3:*"))
print(json.dumps({"url": url, "id": id, "secret": secret}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    args = asked["args"]
    if "Body" in args:
        args["Body"] = base64.b64decode(args["Body"])
    try:
        told = getattr(admin, asked["call"])(**args)
        told.pop("ResponseMetadata", None)
        if "Body" in told:
            told["Body"] = base64.b64encode(told["Body"].read()).decode()
    except ClientError as error:
        told = {"error": error.response["Error"]["Code"]}
    print(json.dumps(told, default=str), flush=True)
server.stop()
