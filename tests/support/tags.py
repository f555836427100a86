"""Tags as S3 takes them, ten at most, and as many bytes as they may have."""

# 128 and 256 characters are the most; each is nine bytes in percent-encoding.
LONG = {f"{number}{'鍵' * 127}": "値" * 256 for number in range(10)}


def as_set(tags):
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}


def tags_at(s3, **where):
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(**where)["TagSet"]}
