"""Tags of an object: the most and the longest that S3 allows."""

# S3 allows ten tags, names of 128 and values of 256 characters. Each of these is nine bytes in percent-encoding.
LONG = {f"{number}{'鍵' * 127}": "値" * 256 for number in range(10)}


def as_set(tags):
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}


def tags_at(s3, **where):
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(**where)["TagSet"]}
