"""GitHub, the council service and the webhook may answer with any content of any size, at any speed."""

import gzip
import json
import re
import threading
import time
import tracemalloc
import zlib

import pytest

from tasks.object_clerk.errors import DeadlineException
from tasks.upload_validate.api_keys import KeyRing
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ReporterError, ServiceFailedError
from tasks.upload_validate.messages import Issue
from tasks.upload_validate.reporters import github_issues
from tasks.upload_validate.reporters import http as http_module
from tasks.upload_validate.reporters.councils import council_name
from tasks.upload_validate.reporters.explanations import explanation
from tasks.upload_validate.reporters.github_issues import GithubIssues
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tests.upload_validate.conftest import REPOSITORY
from tests.upload_validate.loopback import raw

ONCE, TWICE = HttpClient(RetryPolicy(tries=1)), HttpClient(RetryPolicy(tries=2))
KEY = KeyRing(None, None).key("github-key")
ISSUE = Issue("Import E01-Adur", "EMS: unknown", ("Data Import",), "<!-- mark -->")
MEGABYTE = 1 << 20


def base(server):
    return f"http://127.0.0.1:{server.server_port}"


def github(server, http=ONCE):
    return GithubIssues(http, base(server), REPOSITORY, KEY)


def methods(server):
    return [method for method, *_ in server.received]


def entry(**about):
    return {"number": 7, "title": "another", "body": None, "comments": 0, "html_url": "https://github.com/7", **about}


def answered(value, status=200, **headers):
    return status, headers, value if isinstance(value, bytes) else json.dumps(value).encode()


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


# Sizes and times.


BOMB = gzip.compress(bytes(48 * MEGABYTE))
ENDLESS = b"x" * 65_536
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def endless(head):
    return raw(b"HTTP/1.1 " + head, *[ENDLESS] * 800)


FLOODS = {
    "a body": endless(b"200 OK\r\nContent-Length: 99999999\r\n\r\n"),
    "a body without length": endless(b"200 OK\r\n\r\n"),
    "a chunk": endless(b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n"),
    "many chunks": raw(CHUNKED, *[b"10\r\n0123456789abcdef\r\n" * 3_000] * 800),
    "a chunk's size": endless(b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "trailers": raw(CHUNKED + b"0\r\n", *[b"a: 0123456789abcdef\r\n" * 3_000] * 800),
    "a header": endless(b"200 OK\r\na: "),
    "headers": raw(b"HTTP/1.1 200 OK\r\n", *[b"a: b\r\n" * 9_000] * 800),
    "a status": endless(b""),
    "interim answers": raw(*[b"HTTP/1.1 100 Continue\r\na: %s\r\n\r\n" % (b"b" * 200) * 300] * 800),
    "zipped": raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB),
    "zipped twice": raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n", gzip.compress(BOMB)),
    "deflated": raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n", zlib.compress(bytes(32 * MEGABYTE))),
    "a redirect": raw(b"HTTP/1.1 302 x\r\nLocation: /x\r\nContent-Encoding: gzip\r\n\r\n", BOMB),
    "an error": endless(b"500 no\r\n\r\n"),
    "an error that is zipped": raw(b"HTTP/1.1 400 no\r\nContent-Encoding: gzip\r\n\r\n", BOMB),
}


@pytest.fixture(name="memory")
def memory_that_is_used():
    """Return the peak of Python's memory in bytes since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_answer_without_end_is_given_up_in_little_memory(server, memory, flood):
    server.line = [flood] * 9
    before = memory()
    began = time.monotonic()
    try:
        ONCE.send("GET", server.url).json()
        raise AssertionError("it was taken for an answer")
    except ReporterError as error:
        assert len(str(error)) < 500
    assert memory() - before < 8 * MEGABYTE
    assert time.monotonic() - began < 5


def drip(kind):
    """Answer byte by byte, each in time."""

    def answer(handler):
        handler.wfile.write(kind)
        for _ in range(1_000):
            if handler.server.over.wait(0.03):
                return
            try:
                handler.wfile.write(b"x" if b"\r\n" in kind else b"HTTP/1.1 100 Continue\r\n\r\n")
            except OSError:
                return

    return answer


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("kind", [OK + b"Content-Length: 9999\r\n\r\n", b"HTTP/1.1 500 no\r\n\r\n", OK + b"a: ", b""])
def test_answer_that_drips_ends_with_its_call_and_leaves_no_thread(server, monkeypatch, kind):
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    server.over, server.line = threading.Event(), [drip(kind)]
    before = set(threading.enumerate())
    began = time.monotonic()
    with pytest.raises(ServiceFailedError):
        HttpClient(RetryPolicy(tries=1), Deadline(began + 0.3)).send("GET", server.url)
    assert time.monotonic() - began < 2
    ours = [thread for thread in set(threading.enumerate()) - before if "work" in thread.name]
    for thread in ours:
        thread.join(2)
    left = [thread for thread in ours if thread.is_alive()]
    server.over.set()
    assert left == []


def test_call_does_not_last_as_long_as_an_invocation(server, monkeypatch):
    monkeypatch.setattr("tasks.upload_validate.reporters.http.LONGEST_CALL", 0.3, raising=False)
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    server.over, server.line = threading.Event(), [drip(b"HTTP/1.1 200 OK\r\n")]
    began = time.monotonic()
    with pytest.raises(ServiceFailedError):
        HttpClient(RetryPolicy(tries=1), Deadline(began + 900)).send("GET", server.url)
    server.over.set()
    assert time.monotonic() - began < 2


def test_council_service_that_does_not_answer_leaves_time_for_the_set(server, monkeypatch):
    monkeypatch.setattr("tasks.upload_validate.reporters.councils.LOOKUP_SECONDS", 0.3, raising=False)
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    server.over, server.line = threading.Event(), [drip(b"HTTP/1.1 200 OK\r\n")]
    began = time.monotonic()
    assert council_name(HttpClient(RetryPolicy(tries=4), Deadline(began + 8)), base(server), "E07") == "E07"
    server.over.set()
    assert time.monotonic() - began < 2


def test_webhook_with_an_endless_body_does_not_delay_the_set(server, monkeypatch):
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    server.over, server.line = threading.Event(), [drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")]
    began = time.monotonic()
    assert Webhook(HttpClient(ONCE.policy, Deadline(began + 3)), server.url, KEY).post({"digest": "d"}) == 200
    server.over.set()
    assert time.monotonic() - began < 2
