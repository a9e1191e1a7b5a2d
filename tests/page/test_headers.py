"""What the page is made of, and what it is allowed."""

import re
from importlib import resources

import pytest

from app.main import create_app
from app.settings import Settings
from tests.support.service import read_problem

pytestmark = pytest.mark.slow
FILES = sorted(each.name for each in (resources.files("app") / "static").iterdir())
PATHS = {name: "/" if name == "index.html" else f"/page/{name}" for name in FILES}


RULES = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
}


def test_each_file_is_allowed_to_speak_to_its_own_service_alone(client):
    for path in PATHS.values():
        answer = client.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert set(policy.split("; ")) >= RULES
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_no_file_names_another_host_or_makes_markup_of_text():
    for name in FILES:
        text = (resources.files("app") / "static" / name).read_text(encoding="utf-8")
        assert set(re.findall(r"https?://[^\s'\"]+", text)) <= {"http://www.w3.org/2000/svg"}  # a name, asked of nobody
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text), name


def test_a_file_that_was_kept_is_not_sent_again(client):
    tag = client.get("/").headers["etag"]
    again = client.get("/", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={"if-none-match": '"another"'}).status_code == 200


def test_nothing_beside_the_files_is_served(client):
    for path in ("/page/", "/page/nothing.js", "/page/..%2Fmain.py", "/page/%2e%2e/settings.py"):
        read_problem(client.get(path), 404)


def test_the_page_is_no_part_of_the_documented_api(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert "/model" in paths
    assert not [path for path in paths if path == "/" or path.startswith("/page")]


@pytest.mark.parametrize("shown", [True, False])
def test_a_setting_says_whether_there_is_a_page(shown):
    app = create_app(Settings(page=shown))
    assert any(getattr(route, "path", "") == "/" for route in _routes(app.routes)) is shown


def _routes(routes):
    for route in routes:
        yield route
        yield from _routes(getattr(getattr(route, "original_router", route), "routes", ()))
