"""Walks boto3's paginators of KMS: {name: {args, pageSize}} on stdin, {name: its pages} on stdout."""

import json
import sys

import boto3

kms = boto3.client("kms")
pages = {
    name: [
        # what came over HTTP is no part of the answer
        {member: value for member, value in page.items() if member != "ResponseMetadata"}
        for page in kms.get_paginator(name).paginate(
            **walk["args"], PaginationConfig={"PageSize": walk["pageSize"]}
        )
    ]
    for name, walk in json.load(sys.stdin).items()
}
json.dump(pages, sys.stdout, default=str)
