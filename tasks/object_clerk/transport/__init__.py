"""How a request travels: `clients` makes every AWS client of a function; `direct` sends the most common requests of
S3 and DynamoDB without botocore's machinery, over `connections` of its own.
"""
