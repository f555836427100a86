import threading
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from local.patches import dynamodb
from tests.local.patching import ACCOUNT, REGION, patched

TABLE = "table"


def table_of(stage):
    client = stage.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


def putting(name):
    condition = "attribute_not_exists(id)"
    return [{"Put": {"TableName": TABLE, "Item": {"id": {"S": name}}, "ConditionExpression": condition}}]


@patched(dynamodb.honour_client_request_tokens)
def test_transaction_repeated_with_its_token_succeeds(stage):
    client = table_of(stage)
    for _ in range(2):
        client.transact_write_items(TransactItems=putting("a"), ClientRequestToken="token")


@patched(dynamodb.honour_client_request_tokens)
def test_token_of_another_transaction_is_refused(stage):
    client = table_of(stage)
    client.transact_write_items(TransactItems=putting("a"), ClientRequestToken="token")
    refused = stage.refusal(client.transact_write_items, TransactItems=putting("b"), ClientRequestToken="token")
    assert refused == (400, "IdempotentParameterMismatchException")


@patched(dynamodb.honour_client_request_tokens)
def test_token_of_a_cancelled_transaction_can_be_used_again(stage):
    client = table_of(stage)
    client.put_item(TableName=TABLE, Item={"id": {"S": "a"}})
    how = {"TransactItems": putting("a"), "ClientRequestToken": "token"}
    assert stage.refusal(client.transact_write_items, **how) == (400, "TransactionCanceledException")
    client.delete_item(TableName=TABLE, Key={"id": {"S": "a"}})
    for _ in range(2):
        client.transact_write_items(**how)


@patched(dynamodb.inject_faults)
def test_transaction_is_cancelled_with_the_injected_reasons(stage):
    client = table_of(stage)
    how = {"status": 400, "code": "TransactionCanceledException", "reasons": ("None", "ThrottlingError")}
    stage.hooks.faults.add("TransactWriteItems", bucket=TABLE, times=1, **how)
    with pytest.raises(ClientError, match=r"\[None, ThrottlingError\]") as refused:
        client.transact_write_items(TransactItems=putting("a"))
    assert [reason["Code"] for reason in refused.value.response["CancellationReasons"]] == ["None", "ThrottlingError"]
    client.transact_write_items(TransactItems=putting("a"))


@patched(dynamodb.inject_faults)
def test_write_is_performed_and_its_answer_lost(stage):
    client = table_of(stage)
    stage.hooks.faults.add("PutItem", times=1, status=500, code="InternalServerError", done=True)
    key = {"id": {"S": "a"}}
    assert stage.refusal(client.put_item, TableName=TABLE, Item=key) == (500, "InternalServerError")
    assert client.get_item(TableName=TABLE, Key=key)["Item"] == key


class Unreadable(dict):
    """The items of one hash key; it fails if it is read or copied."""

    def values(self):
        raise ValueError("a request about another key reads these items")

    def __deepcopy__(self, memo):
        raise ValueError("a request about another key copies these items")


def table_with_two_keys(stage):
    """Create a table with a range key; return its client, and moto's items."""
    keys = {"id": "HASH", "version": "RANGE"}
    stage.client("dynamodb").create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        BillingMode="PAY_PER_REQUEST",
    )
    return stage.client("dynamodb"), dynamodb_backends[ACCOUNT][REGION].tables[TABLE].items


def item(name, version="1", **more):
    return {"id": {"S": name}, "version": {"S": version}, **more}


def versions(client, name):
    condition, values = "id = :id", {":id": {"S": name}}
    found = client.query(TableName=TABLE, KeyConditionExpression=condition, ExpressionAttributeValues=values)["Items"]
    return [one["version"]["S"] for one in found]


@patched(dynamodb.query_one_partition)
def test_query_reads_the_items_of_its_key_only(stage):
    client, items = table_with_two_keys(stage)
    for version in ("2", "1"):
        client.put_item(TableName=TABLE, Item=item("a", version))
    items[DynamoType({"S": "b"})] = Unreadable()
    assert versions(client, "a") == ["1", "2"] and versions(client, "c") == []


@patched(dynamodb.copy_only_the_items_of_a_transaction)
def test_transaction_copies_the_items_of_its_keys_only(stage):
    client, items = table_with_two_keys(stage)
    items[DynamoType({"S": "other"})] = Unreadable()
    client.put_item(TableName=TABLE, Item=item("a"))
    client.put_item(TableName=TABLE, Item=item("a", "2"))
    delete = {"Delete": {"TableName": TABLE, "Key": item("a")}}
    put = {"Put": {"TableName": TABLE, "Item": item("b")}}
    client.transact_write_items(TransactItems=[delete, put])
    assert (versions(client, "a"), versions(client, "b")) == (["2"], ["1"])

    key, values = item("b"), {":n": {"S": "new"}}
    update = {"TableName": TABLE, "Key": key, "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": values}
    failing = {"Put": {"TableName": TABLE, "Item": item("a", "2"), "ConditionExpression": "attribute_not_exists(id)"}}
    assert stage.refusal(client.transact_write_items, TransactItems=[{"Update": update}, failing]) == (
        400,
        "TransactionCanceledException",
    )
    assert client.get_item(TableName=TABLE, Key=key)["Item"] == key
    client.transact_write_items(TransactItems=[{"Update": update}])
    assert client.get_item(TableName=TABLE, Key=key)["Item"] == {**key, "n": {"S": "new"}}


@patched(dynamodb.isolate_requests)
def test_cancelled_transaction_keeps_what_another_request_writes_meanwhile(stage):
    client, _ = table_with_two_keys(stage)
    other = threading.Thread(target=lambda: client.put_item(TableName=TABLE, Item=item("b")))
    read = DynamoDBBackend.get_item

    def read_while_the_other_is_sent(*arguments):
        if not other.ident:
            other.start()
            # It ends at once, unless it is held back.
            other.join(1)
        return read(*arguments)

    put = {"Put": {"TableName": TABLE, "Item": item("a"), "ConditionExpression": "attribute_exists(id)"}}
    with patch.object(DynamoDBBackend, "get_item", read_while_the_other_is_sent):
        assert stage.refusal(client.transact_write_items, TransactItems=[put])[1] == "TransactionCanceledException"
    other.join()
    assert versions(client, "b") == ["1"]
