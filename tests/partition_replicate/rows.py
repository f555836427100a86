"""A plain DynamoDB table in memory: as much of a boto3 client as the task uses, and fast."""

from botocore.exceptions import ClientError

from tasks.partition_replicate import table
from tasks.utils import mirror_items as items

CONDITIONS = {
    None: lambda item, values: True,
    "attribute_not_exists(Revision)": lambda item, values: "Revision" not in item,
    "Revision = :revision": lambda item, values: item.get("Revision") == values[":revision"],
    table.RECORDED: lambda item, values: _replica_of(item) == values[":replica"],
    table.UNRECORDED: lambda item, values: items.replica_in(item) is None or _replica_of(item) == values[":replica"],
}


def _replica_of(item):
    return item.get("DestObject", {}).get("M", {}).get("VersionId")


class Rows:
    """Items by `Key` and `VersionId`.

    Args:
        before: called with no arguments before each request; what it returns, if anything, is the refusal of it.
        after: called with no arguments after each request; what it returns, if anything, replaces the answer,
            though the request was carried out.
    """

    def __init__(self, before=lambda: None, after=lambda: None):
        self.items = {}
        self._before, self._after = before, after
        self._tokens = set()

    def get_item(self, *, Key, **_):
        return self._request(lambda: {"Item": dict(self.items[place(Key)])} if place(Key) in self.items else {})

    def query(self, *, ExpressionAttributeValues, **_):
        key = ExpressionAttributeValues[":key"]["S"]
        return self._request(lambda: {"Items": [dict(item) for at, item in self.items.items() if at[0] == key]})

    def delete_item(self, *, Key, **delete):
        def work():
            found = self.items.get(place(Key), {})
            self._check(found, delete, "ConditionalCheckFailedException", {"Item": dict(found)} if found else {})
            self.items.pop(place(Key), None)

        return self._request(work)

    def put_item(self, **put):
        def work():
            found = self.items.get(place(put["Item"]), {})
            return self._put([put], "ConditionalCheckFailedException", {"Item": dict(found)})

        return self._request(work)

    def transact_write_items(self, *, TransactItems, ClientRequestToken):
        return self._request(lambda: self._transact([one["Put"] for one in TransactItems], ClientRequestToken))

    def _transact(self, puts, token):
        if token not in self._tokens:
            reasons = {"CancellationReasons": [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]}
            self._put(puts, "TransactionCanceledException", reasons)
            self._tokens.add(token)

    def _put(self, puts, refusal, details):
        for put in puts:
            self._check(self.items.get(place(put["Item"]), {}), put, refusal, details)
        self.items.update({place(put["Item"]): dict(put["Item"]) for put in puts})

    @staticmethod
    def _check(item, write, refusal, details):
        if not CONDITIONS[write.get("ConditionExpression")](item, write.get("ExpressionAttributeValues")):
            raise ClientError({"Error": {"Code": refusal}, **details}, "any")

    def _request(self, work):
        if self._before():
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "any")
        answer = work()
        if self._after():
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "any")
        return answer


def place(item):
    return item["Key"]["S"], item["VersionId"]["S"]
