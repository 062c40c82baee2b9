"""The API itself: takes a request, records it, checks it, asks the script, and does what the plan says."""

import asyncio
import time
from typing import Any
from urllib.parse import unquote

from . import batches, costs, messages, models, script, validation
from .answers import Call
from .caching import input_tokens
from .control import Control
from .lanes import Lane
from .metronome import Metronome
from .performance import Performance
from .plan import plan
from .record import Exchange, bearer, fingerprint, masked
from .wire import Connection, Request

ENDPOINTS = {"/v1/messages": "messages", "/v1/messages/count_tokens": "count_tokens", costs.PATH: "cost"}


class Server:
    """A Claude API, in as many lanes as are asked for."""

    def __init__(self) -> None:
        self.lanes: dict[str, Lane] = {}
        self.control = Control(self)
        self.metronome = Metronome()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(self.handle), host, port, backlog=4096)

    def lane(self, name: str) -> Lane:
        """The lane of that name, a new one if need be."""
        if name not in self.lanes:
            self.lanes[name] = Lane(name)
        return self.lanes[name]

    async def handle(self, connection: Connection, request: Request) -> None:
        """Answer one request."""
        if request.path == "/_control" or request.path.startswith("/_control/"):
            await self.control.handle(connection, request)
            return
        name, path = "default", request.path
        if path.startswith("/lane/"):
            name, _, path = path.removeprefix("/lane/").partition("/")
            path = f"/{path}"
        await self.answer(connection, request, self.lane(unquote(name)), path)

    async def answer(self, connection: Connection, request: Request, lane: Lane, path: str) -> None:
        """Answer a request to the API."""
        exchange = self.record(connection, request, lane, path)
        lane.begin(exchange, connection)
        try:
            step, call = self.decide(request, lane, exchange, path)
            if exchange.step != "refused":
                exchange.step = step.name
            actions, exchange.usage, exchange.error = plan(step, call)
            performance = Performance(connection, lane, exchange, self.metronome, http11=request.version == "1.1")
            await performance.play(actions)
        finally:
            lane.end(exchange)

    def record(self, connection: Connection, request: Request, lane: Lane, path: str) -> Exchange:
        """The record of a request that has just arrived."""
        try:
            body = request.json()
        except (ValueError, RecursionError):
            body = None
        key = bearer(request.headers)
        retries = request.headers.get("x-stainless-retry-count", "0")
        endpoint = ENDPOINTS.get(path) or batches.endpoint(path)
        endpoint = endpoint or ("models" if f"{path}/".startswith("/v1/models/") else "unknown")
        return Exchange(
            index=lane.counts["arrived"],
            request_id=messages.identifier("req"),
            method=request.method,
            path=request.path,
            endpoint=endpoint,
            headers=masked(request.headers),
            key=fingerprint(key) if key else None,
            body=body,
            prompt=messages.prompt_of(body),
            stream=isinstance(body, dict) and body.get("stream") is True,
            retry_count=int(retries) if retries.isdigit() else 0,
            idempotency_key=request.headers.get("anthropic-idempotency-key") or request.headers.get("idempotency-key"),
            arrived_at=request.arrived_at,
            socket=connection.socket,
        )

    def decide(self, request: Request, lane: Lane, exchange: Exchange, path: str) -> tuple[script.Step, Call]:
        """What happens to a request: a refusal if it is at fault, else what the script says."""
        within, limits = lane.count_request()
        headers = {"request-id": exchange.request_id, "anthropic-organization-id": "org_stand_in", **limits}
        call = Call(exchange.request_id, headers, exchange.body or {}, {})
        try:
            self.check(request, lane, exchange, path)
            if not within:
                raise validation.Refused("rate_limit_error", "Number of requests has exceeded your per-minute limit")
            if exchange.endpoint == "models":
                call.payload = self.models(path)
            if exchange.endpoint in batches.ENDPOINTS:
                batches.find(lane, path)
            if exchange.endpoint == "cost":
                call.payload = costs.report(lane.charges, request.parameters, lane.settings.costs_known_until)
        except validation.Refused as refused:
            exchange.step = "refused"
            wait = round(60 - (time.monotonic() - lane.minute[0])) if refused.status == 429 else None
            call.body = {}
            return script.Status(refused.status, refused.kind, refused.message, retry_after=wait), call
        if exchange.endpoint == "count_tokens":
            call.payload = {"input_tokens": input_tokens(call.body)}
        step = lane.step(exchange.endpoint, exchange.prompt, call.body.get("model", ""))
        if exchange.endpoint in batches.ENDPOINTS and not isinstance(step, script.Status | script.Body):
            call.payload = batches.respond(lane, request.method, path, call.body or request.query)
        if exchange.endpoint == "messages" and not isinstance(step, script.Status | script.Body):
            call.usage = lane.cache.usage(call.body)
        return step, call

    def check(self, request: Request, lane: Lane, exchange: Exchange, path: str) -> None:
        """Raise what the API would answer to a request that is at fault."""
        if exchange.endpoint == "unknown":
            raise validation.Refused("not_found_error", f"{request.method} {request.path} is not found here")
        method = batches.method(path) if exchange.endpoint in batches.ENDPOINTS else None
        if request.method not in (method or ("GET" if exchange.endpoint in ("models", "cost") else "POST")):
            raise validation.Refused("invalid_request_error", "Method Not Allowed", 405)
        validation.check_headers(request.headers, bearer(request.headers), lane.settings.key)
        if request.too_large:
            raise validation.Refused("request_too_large", "Request exceeds the maximum size")
        if exchange.endpoint == "cost":
            costs.check(request.parameters, request.headers, bearer(request.headers))
        if exchange.endpoint in ("models", "cost") or (exchange.endpoint in batches.ENDPOINTS and not request.body):
            return
        if exchange.body is None:
            raise validation.invalid("The request body is not valid JSON")
        validation.check_json(request.body, exchange.body)
        if exchange.endpoint in batches.ENDPOINTS:
            batches.check(exchange.body)
            return
        validation.check_body(exchange.body, answers=exchange.endpoint == "messages")

    def models(self, path: str) -> dict[str, Any]:
        """The list of models, or one of them."""
        model = path.removeprefix("/v1/models").strip("/")
        if model and model not in models.MODELS:
            raise validation.Refused("not_found_error", f"model: {model}")
        if model:
            return models.describe(model)
        known = list(models.MODELS)
        data = [models.describe(name) for name in known]
        return {"data": data, "has_more": False, "first_id": known[0], "last_id": known[-1]}
