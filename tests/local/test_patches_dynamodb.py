import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import dynamodb_backends

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
    item = {"id": {"S": "a"}}
    assert stage.refusal(client.put_item, TableName=TABLE, Item=item) == (500, "InternalServerError")
    assert client.get_item(TableName=TABLE, Key=item)["Item"] == item


class Growing(dict):
    """The items of one hash key. Another request adds a hash key to the table while they are counted."""

    def __init__(self, table):
        super().__init__(a="item")
        self.table = table

    def __len__(self):
        self.table["added"] = {}
        return super().__len__()


@patched(dynamodb.count_items_of_a_changing_table, raises=RuntimeError)
def test_items_are_counted_while_another_request_adds_one(stage):
    keys = {"id": "HASH", "version": "RANGE"}
    stage.client("dynamodb").create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        BillingMode="PAY_PER_REQUEST",
    )
    table = dynamodb_backends[ACCOUNT][REGION].tables[TABLE]
    table.items["first"] = Growing(table.items)
    assert len(table) == 1
