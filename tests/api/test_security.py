"""Who is let in: programs on the same machine, asked directly. Web pages and strangers are not."""

import pytest

from app.api.main import create_app
from app.api.openapi import every_route, scopes_of
from app.api.security import Principal, Scope
from lake.errors import SettingsError
from tests.api.conftest import LOCAL, asked


@pytest.fixture
def app(filled_home, make_settings, queue):
    return create_app(make_settings(filled_home), queue.send)


def test_every_route_declares_exactly_one_scope(app):
    declared = {
        (route.path, *sorted(route.methods)): scopes_of(route) for route in every_route(app.routes)
    }

    assert len(declared) > 10
    assert {path: scopes for path, scopes in declared.items() if len(scopes) != 1} == {}


def test_only_health_is_public(app):
    public = {route.path for route in every_route(app.routes) if Scope.PUBLIC in scopes_of(route)}

    assert public == {"/health"}


def test_whatever_changes_something_needs_more_than_reading(app):
    routes = [route for route in every_route(app.routes) if route.methods - {"GET", "HEAD"}]

    assert routes
    assert all(scopes_of(route) in ([Scope.OPERATE], [Scope.ADMIN]) for route in routes)


def test_the_openapi_tells_the_scope(api):
    paths = api.get("/openapi.json").json()["paths"]

    assert paths["/ingest/{symbol}"]["post"]["x-scopes"] == ["operate"]
    assert paths["/bars/{symbol}"]["get"]["x-scopes"] == ["read"]


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "127.0.0.1:9", "[::1]:8000", "LOCALHOST", "localhost.:80"],
)
def test_a_program_on_this_machine_needs_nothing(app, client, host):
    for api in asked(app, (client, 50000)):
        assert api.get("/symbols", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "client", ["10.0.0.5", "192.168.1.9", "::2", "128.0.0.1", "::ffff:10.0.0.1", "nonsense"]
)
def test_a_stranger_is_not_let_in(app, client):
    for api in asked(app, (client, 50000)):
        answer = api.get("/symbols")

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"]
        assert client in answer.json()["message"]
        assert api.post("/ingest/SPY").status_code == 401
        assert api.get("/openapi.json").status_code == 401
        assert api.get("/health").status_code == 200


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP"],
)
def test_what_a_proxy_passed_on_is_not_from_this_machine(api, header):
    answer = api.get("/symbols", headers={header: "127.0.0.1"})

    assert answer.status_code == 401
    assert "asked directly" in answer.json()["message"]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "localhost@evil",
        "",
        "0.0.0.0:8000",
        "a b",
        "localhost:x",
    ],
)
def test_a_name_that_was_pointed_here_is_refused(api, host):
    answer = api.get("/symbols", headers={"Host": host})

    assert answer.status_code == 403
    assert "BARLAKE_ALLOWED_HOSTS" in answer.json()["message"]


def test_a_name_may_be_allowed(filled_home, make_settings, queue):
    settings = make_settings(filled_home, BARLAKE_ALLOWED_HOSTS="lake.local, localhost")
    for api in asked(create_app(settings, queue.send)):
        assert api.get("/symbols", headers={"Host": "lake.local:8000"}).status_code == 200
        assert api.get("/symbols", headers={"Host": "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:3000",
        "https://localhost:8000",
        "http://127.0.0.1:8000",
        "",
        "file://",
    ],
)
def test_a_page_of_another_site_may_neither_read_nor_post(api, queue, origin):
    for answer in (
        api.get("/symbols", headers={"Origin": origin}),
        api.post("/ingest/SPY", headers={"Origin": origin}),
    ):
        assert answer.status_code == 403
        assert "Origin" in answer.json()["message"]
        assert "access-control-allow-origin" not in answer.headers
    assert queue.jobs == []


def test_the_own_page_may(api):
    assert api.post("/ingest/SPY", headers={"Origin": "http://localhost:8000"}).status_code == 202


def test_whoever_lacks_a_scope_is_told(app, queue):
    app.state.authenticators = (lambda _: Principal("reader", frozenset({Scope.READ})),)
    for api in asked(app, LOCAL):
        assert api.get("/symbols").status_code == 200
        answer = api.post("/ingest/SPY")

    assert answer.status_code == 403
    assert "reader may not operate" in answer.json()["message"]
    assert queue.jobs == []


def test_browsers_are_told_to_keep_answers_to_themselves(api):
    headers = api.get("/symbols").headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("client", "code"), [("172.28.93.7", 200), ("172.28.94.7", 401), ("127.0.0.1", 200)]
)
def test_a_network_may_be_trusted_like_the_own_machine(
    filled_home, make_settings, queue, client, code
):
    settings = make_settings(filled_home, BARLAKE_TRUSTED_CLIENTS="172.28.93.0/24, 10.0.0.1")
    for api in asked(create_app(settings, queue.send), (client, 50000)):
        assert api.get("/symbols").status_code == code
        assert api.get("/symbols", headers={"Host": "evil.example"}).status_code in {401, 403}
        assert api.get("/symbols", headers={"X-Forwarded-For": client}).status_code == 401


def test_a_trusted_network_that_is_none_is_a_sentence(filled_home, make_settings):
    with pytest.raises(SettingsError, match="BARLAKE_TRUSTED_CLIENTS"):
        create_app(make_settings(filled_home, BARLAKE_TRUSTED_CLIENTS="anyone"))
