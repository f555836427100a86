import pytest
from botocore.exceptions import ClientError

from local.patches import dynamodb
from tests.local.patching import patched

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


@patched(dynamodb.heed_client_request_tokens)
def test_transaction_repeated_with_its_token_goes_well(stage):
    client = table_of(stage)
    for _ in range(2):
        client.transact_write_items(TransactItems=putting("a"), ClientRequestToken="token")


@patched(dynamodb.heed_client_request_tokens)
def test_token_of_another_transaction_is_refused(stage):
    client = table_of(stage)
    client.transact_write_items(TransactItems=putting("a"), ClientRequestToken="token")
    refused = stage.refusal(client.transact_write_items, TransactItems=putting("b"), ClientRequestToken="token")
    assert refused == (400, "IdempotentParameterMismatchException")


@patched(dynamodb.heed_client_request_tokens)
def test_token_of_a_transaction_that_was_cancelled_is_free(stage):
    client = table_of(stage)
    client.put_item(TableName=TABLE, Item={"id": {"S": "a"}})
    how = {"TransactItems": putting("a"), "ClientRequestToken": "token"}
    assert stage.refusal(client.transact_write_items, **how) == (400, "TransactionCanceledException")
    client.delete_item(TableName=TABLE, Key={"id": {"S": "a"}})
    for _ in range(2):
        client.transact_write_items(**how)


@patched(dynamodb.give_faults_on_order)
def test_transaction_is_cancelled_for_the_reasons_on_order(stage):
    client = table_of(stage)
    how = {"status": 400, "code": "TransactionCanceledException", "reasons": ("None", "ThrottlingError")}
    stage.hooks.faults.add("TransactWriteItems", bucket=TABLE, times=1, **how)
    with pytest.raises(ClientError, match=r"\[None, ThrottlingError\]") as refused:
        client.transact_write_items(TransactItems=putting("a"))
    assert [reason["Code"] for reason in refused.value.response["CancellationReasons"]] == ["None", "ThrottlingError"]
    client.transact_write_items(TransactItems=putting("a"))


@patched(dynamodb.give_faults_on_order)
def test_answer_to_a_write_that_was_done_is_lost(stage):
    client = table_of(stage)
    stage.hooks.faults.add("PutItem", times=1, status=500, code="InternalServerError", done=True)
    item = {"id": {"S": "a"}}
    assert stage.refusal(client.put_item, TableName=TABLE, Item=item) == (500, "InternalServerError")
    assert client.get_item(TableName=TABLE, Key=item)["Item"] == item
