"""What happens to every request, whatever its route."""

import json
import logging
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from service.app import create_app
from service.logs import JsonLines
from service.settings import Settings


def serve(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


class TestRequestId:
    async def test_one_is_made(self, client: httpx.AsyncClient) -> None:
        names = [(await client.get("/health/live")).headers["x-request-id"] for _ in range(2)]
        assert re.fullmatch(r"[0-9a-f]{32}", names[0])
        assert names[0] != names[1]

    async def test_a_sane_one_is_kept(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/nothing", headers={"X-Request-ID": "a-1.b_2:c"})
        assert answer.headers["x-request-id"] == "a-1.b_2:c"
        assert answer.json()["request_id"] == "a-1.b_2:c"

    @pytest.mark.parametrize("sent", ["", "a b", 'a"b', "a\x7f", "x" * 129, "é", "<script>"])
    async def test_any_other_is_replaced(self, client: httpx.AsyncClient, sent: str) -> None:
        headers = {b"X-Request-ID": sent.encode("latin-1")}
        answer = await client.get("/health/live", headers=headers)
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


class TestSecurityHeaders:
    @pytest.mark.parametrize("path", ["/health/live", "/", "/docs", "/nothing", "/v1/models"])
    async def test_everywhere(self, client: httpx.AsyncClient, path: str) -> None:
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


class TestAccessLog:
    async def test_a_line_of_json_a_request(
        self, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "glyphscope.access")
        answer = await client.get("/v1/models", headers={"X-Request-ID": "this-one"})
        [record] = [each for each in caplog.records if each.name == "glyphscope.access"]
        line = json.loads(JsonLines().format(record))
        assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/models", 200)
        assert line["bytes"] == len(answer.content)
        assert line["request_id"] == "this-one"
        assert line["ms"] >= 0
        assert {"time", "level", "logger", "message"} <= line.keys()

    async def test_a_path_cannot_forge_a_line(
        self, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "glyphscope.access")
        await client.get('/a%0A{"level":"error"}')
        [record] = [each for each in caplog.records if each.name == "glyphscope.access"]
        assert "\n" not in JsonLines().format(record)


class TestBoundary:
    """Routes that no user has, put beside the real ones."""

    @pytest.fixture
    def failing(self, settings: Settings) -> FastAPI:
        app = create_app(settings)

        @app.get("/fail")
        async def fail() -> None:
            raise ZeroDivisionError("the password is 1234")

        @app.get("/leave")
        async def leave() -> None:
            raise ClientDisconnect

        @app.get("/half")
        async def half() -> StreamingResponse:
            async def body() -> Any:
                yield b"half"
                raise ZeroDivisionError("halfway")

            return StreamingResponse(body())

        return app

    async def test_an_unknown_error_leaks_nothing_and_is_logged(
        self, failing: FastAPI, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with serve(failing) as client:
            answer = await client.get("/fail")
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert "1234" not in answer.text
        assert "ZeroDivision" not in answer.text
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "the password is 1234" in caplog.text

    async def test_half_an_answer_is_cut_off(self, failing: FastAPI) -> None:
        async with serve(failing) as client:
            with pytest.raises(ZeroDivisionError):
                await client.get("/half")

    async def test_a_client_that_left_is_no_error(
        self, failing: FastAPI, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with serve(failing) as client:
            with pytest.raises(AssertionError):  # httpx's own: there was no answer
                await client.get("/leave")
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


class TestCors:
    ORIGIN = "https://somewhere.example"

    async def test_off_by_default(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/health/live", headers={"Origin": self.ORIGIN})
        assert "access-control-allow-origin" not in answer.headers

    async def test_for_the_origins_named(self, settings: Settings) -> None:
        app = create_app(settings.model_copy(update={"cors_origins": (self.ORIGIN,)}))
        async with serve(app) as client:
            answer = await client.get("/health/live", headers={"Origin": self.ORIGIN})
            assert answer.headers["access-control-allow-origin"] == self.ORIGIN
            other = await client.get("/health/live", headers={"Origin": "https://other.example"})
            assert "access-control-allow-origin" not in other.headers
            asked = {
                "Origin": self.ORIGIN,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,prefer",
            }
            preflight = await client.options("/v1/models/mnist/classify", headers=asked)
            assert preflight.status_code == 200
            missing = await client.get("/nothing", headers={"Origin": self.ORIGIN})
            assert missing.headers["access-control-allow-origin"] == self.ORIGIN
