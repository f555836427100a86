"""The way of a request to AWS.

`clients` makes every AWS client of the project. `direct_s3` and `direct_dynamodb` send the most common requests without
most of botocore, as `operations` builds them and `signing` signs them, over `connections`, which read `responses`.
`direct` is what both have in common.
"""
