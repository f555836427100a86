"""GitHub, the council service and the webhook may answer with any content."""

import json
import re
import threading
import time

import pytest

from tasks.object_clerk.errors import DeadlineException
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ReporterError, ServiceFailedError
from tasks.upload_validate.reporters import github_issues
from tasks.upload_validate.reporters import http as http_module
from tasks.upload_validate.reporters.councils import council_name
from tasks.upload_validate.reporters.explanations import explanation
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tests.upload_validate.loopback import raw
from tests.upload_validate.outside_calls import (
    ISSUE,
    KEY,
    MEGABYTE,
    ONCE,
    TWICE,
    answered,
    base,
    entry,
    github,
    methods,
)

# Reasons.


@pytest.mark.parametrize(
    "body", [b"\xff", b"{}", b"null", b"", b"[" * 500 + b"1" + b"]" * 500, b"[" * 100_000], ids=lambda body: body[:4]
)
def test_body_without_a_text_in_json_explains_itself(body):
    assert explanation(body) == body.decode("utf-8", "replace")


# Pages.


@pytest.mark.parametrize(
    "following", ["http://127.0.0.1:{other}/x", "http://localhost:{port}/x", "https://127.0.0.1:{port}/x", "//x.org/y"]
)
def test_key_does_not_follow_the_next_page_to_another_server(server, other_server, following):
    following = following.format(port=server.server_port, other=other_server.server_port)
    server.line = [answered([], Link=f'<{following}>; rel="next"')]
    with pytest.raises(RefusedError, match="the next page is at https?://[^/ ]+, which is not followed"):
        github(server).report(ISSUE, since=None)
    assert (methods(server), other_server.received) == (["GET"], [])


@pytest.mark.parametrize("title", ["another", ISSUE.title])
def test_search_reads_a_bounded_number_of_pages(server, monkeypatch, caplog, title):
    monkeypatch.setattr(github_issues, "MOST_PAGES", 5, raising=False)

    def answer(handler):
        handler.server.line.append(answer)
        body = json.dumps([entry(title=title, comments=1), entry()]).encode()
        assert len(handler.server.received) < 50
        if handler.command == "POST":
            body = json.dumps(entry()).encode()
        raw(
            b"HTTP/1.0 200 OK\r\nLink: <" + handler.path.encode() + b'>; rel="next"\r\n'
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )(handler)

    server.line = [answer]
    assert github(server).report(ISSUE, since=None) == "https://github.com/7"
    assert methods(server) == ["GET"] * 5 + ["POST"]
    assert "too long to be read to their end" in caplog.text


def test_page_that_could_not_arrive_in_time_is_not_requested(server, monkeypatch):
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.4)
    slow = threading.Event()

    def answer(handler):
        slow.wait(0.3)
        raw(b'HTTP/1.0 200 OK\r\nLink: </x>; rel="next"\r\n\r\n[]')(handler)

    server.line = [answer] * 9
    with pytest.raises(DeadlineException):
        github(server, HttpClient(RetryPolicy(tries=1), Deadline(time.monotonic() + 0.6))).report(ISSUE, since=None)
    assert methods(server) == ["GET"]


def test_page_that_is_too_long_is_requested_in_smaller_pieces(server):
    entries = [entry(number=number, body="x" * 60_000) for number in range(40)]
    entries[33] |= {"body": ISSUE.marked_body, "title": ISSUE.title}

    def answer(handler):
        size, page = (int(re.search(rf"\b{name}=(\d+)", handler.path + "&page=1")[1]) for name in ("per_page", "page"))
        shown = entries[(page - 1) * size : page * size]
        path = re.sub(r"&page=\d+", "", handler.path) + f"&page={page + 1}"
        following = f'Link: <{path}>; rel="next"\r\n' if page * size < len(entries) else ""
        handler.server.line.append(answer)
        raw(f"HTTP/1.0 200 OK\r\n{following}\r\n{json.dumps(shown)}".encode())(handler)

    server.line = [answer]
    assert github(server).report(ISSUE, since=None) == "https://github.com/7"
    # One page of a hundred, four of ten.
    assert methods(server) == ["GET"] * 5


# Shapes.


DEEP = b'{"name":' * 100_000
SHAPES = {
    "nothing": b"",
    "no JSON": b"<html>",
    "null": b"null",
    "a number": b"7",
    "a text": b'"name"',
    "a list": b'["name"]',
    "a list of lists": b"[[]]",
    "an object": b"{}",
    "deep": DEEP,
    "deep list": b"[" * 200_000,
    "a long number": b'{"name": ' + b"9" * 5_000 + b"}",
    "a long list of numbers": b"[" + b"9" * 5_000 + b"]",
    "another encoding": b"\xff\xfe\xfd",
    "a name that is null": b'{"name": null}',
    "a name that is a number": b'{"name": 7}',
    "a name that is a list": b'{"name": ["Adur"]}',
    "a name of spaces": b'{"name": " \\n"}',
    "too much": b'{"name": "' + b"x" * 2 * MEGABYTE + b'"}',
}
any_shape = pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)


@any_shape
def test_council_without_a_name_in_the_answer_has_its_code_as_name(server, body):
    server.line = [answered(body)] * 2
    assert council_name(ONCE, base(server), "E07\n") == "E07\n"


@pytest.mark.parametrize("name", ["x" * 1_000_000, "x" * 300, "\u202e\n\x1b[31m" * 150, "\ud800" * 201])
def test_name_of_a_council_is_cut_and_printable(server, name):
    server.line = [answered({"name": name})]
    found = council_name(ONCE, base(server), "E07")
    assert len(found) == 200 and found.isprintable()


@any_shape
def test_search_with_an_answer_of_another_shape_fails(server, body):
    server.line = [answered(body)] * 3
    with pytest.raises(ServiceFailedError, match="^GET http://127.0.0.1:[0-9]+: 200, an answer that ") as raised:
        github(server).report(ISSUE, since=None)
    assert len(str(raised.value)) < 400
    assert set(methods(server)) == {"GET"}


@pytest.mark.parametrize(
    "about",
    [
        {"title": 7}, {"title": ["x"]}, {"body": {"x": 1}}, {"body": 7},
        {"number": "7"}, {"number": None}, {"comments": "many"},
        {"html_url": None}, {"html_url": "javascript:alert(1)"}, {"html_url": "x"}, {"html_url": 7},
        {"html_url": "https://x/" + "y" * 600}, {"html_url": "https://x/\n"},
    ],
)  # fmt: skip
def test_issue_of_another_shape_is_one_clear_error(server, about):
    server.line = [answered([entry(**{"title": ISSUE.title, **about})])]
    with pytest.raises(ServiceFailedError, match="^GET http://127.0.0.1:[0-9]+: 200, an? "):
        github(server).report(ISSUE, since=None)
    assert methods(server) == ["GET"]


def test_unrelated_issue_may_lack_all_fields_that_are_not_needed(server):
    made = entry(title=ISSUE.title)
    server.line = [answered([{"title": "another"}, {}]), answered(made, 201)]
    assert github(server).report(ISSUE, since=None) == "https://github.com/7"


@pytest.mark.parametrize("body", [*SHAPES.values(), b'{"html_url": 7}'], ids=[*SHAPES, "an odd address"])
def test_issue_with_an_unreadable_answer_is_searched_for_and_not_raised_again(server, body):
    made = entry(title=ISSUE.title, body=ISSUE.marked_body)
    server.line = [answered([]), answered(body, 201), answered([made])]
    assert github(server, TWICE).report(ISSUE, since=None) == "https://github.com/7"
    assert methods(server) == ["GET", "POST", "GET"]


def test_issue_with_only_unreadable_answers_may_have_been_raised(server):
    server.line = [answered([]), answered(b"[[]]", 201)]
    with pytest.raises(AnswerLostError, match="^POST http://127.0.0.1:[0-9]+: 201, an answer "):
        github(server).report(ISSUE, since=None)


@any_shape
def test_webhook_may_answer_with_any_body(server, body):
    server.line = [answered(body)]
    assert Webhook(ONCE, server.url, KEY).post({"digest": "d"}) == 200


@pytest.mark.parametrize("link", ["<", ">", "<>; rel=next", '<http://[::1>; rel="next"', "<a>;" * 9_000, ",<" * 20_000])
def test_odd_link_is_the_end_of_a_list_or_an_error(server, link):
    server.line = [answered([], Link=link), answered(entry(), 201)]
    began = time.monotonic()
    try:
        assert github(server).report(ISSUE, since=None)
    except ReporterError:
        pass
    assert time.monotonic() - began < 5
