"""Calls the credits API. One file that needs Python 3.9 and nothing else: copy it.

    credits = Client("https://credits.example.com", os.environ["CREDITS_KEY"])
    credits.spend("job_match", {"email": "ada@example.com"})

In FastAPI, a route that costs credits takes one dependency more. current_user is your own: it answers {"userId": 4711}
or {"email": "ada@example.com"}, from the session and never from the request's body.

    job_match = credits.metered("job_match", Depends(current_user))

    @app.post("/match")
    def match(hold=Depends(job_match, scope="function")):
        result = run()
        if result is None:          # failed, but nothing was raised
            hold.mark_failed()
        return result

    @app.exception_handler(CreditsError)
    def refused(request, error):
        return JSONResponse(error.envelope(), error.status)

scope="function" (FastAPI 0.121 or newer) captures before the answer is sent; 0.118 to 0.120 always capture after it.
"""

from __future__ import annotations

import collections
import http.client
import json
import logging
import random
import time
import urllib.parse
import uuid
from typing import Any, Callable, Iterator, Mapping, Optional

User = Mapping[str, Any]  # {"userId": 4711} or {"email": "ada@example.com"}; createUser with a verified address

log = logging.getLogger("credits")


class CreditsError(Exception):
    """A refusal of the API, or, with status 503 and code UNREACHABLE, no answer at all."""

    def __init__(self, status: int, code: str, message: str, detail: Optional[dict], request_id: str):
        super().__init__(f"{code} ({status}): {message} [{request_id}]")
        self.status, self.code, self.message, self.detail, self.request_id = status, code, message, detail, request_id

    def envelope(self) -> dict:
        """The error in the API's own shape, to answer with."""
        return {"request_id": self.request_id, "error": {"code": self.code, "message": self.message, "detail": self.detail}}


class PaymentRequired(CreditsError):
    """The user has too few credits; they buy more at purchase_url."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        detail = self.detail or {}
        self.required, self.available, self.missing = (detail.get(name, 0) for name in ("required", "available", "missing"))
        self.purchase_url = detail.get("purchaseUrl", "")


class Metered:
    """An open hold, as the handler of a metered route sees it."""

    def __init__(self, hold: dict):
        self.hold, self.failed = hold, False

    def mark_failed(self) -> None:
        """Gives the credits back although the handler returns."""
        self.failed = True


class Client:
    """Calls the API with one service key. Any number of threads may share it, and should: it keeps connections.

    timeout is that of one attempt, in seconds; attempts says how often a call is sent at most, max_wait how many
    seconds may lie between two of them. language (de or en) is that of the messages in errors.
    """

    def __init__(self, base_url: str, key: str, *, timeout: float = 10, attempts: int = 5, max_wait: float = 30, language: str = ""):
        self._base = urllib.parse.urlsplit(base_url.rstrip("/"))
        if self._base.scheme not in ("http", "https") or not self._base.hostname:
            raise ValueError("base_url must begin with http:// or https://")
        self._headers = {"Authorization": "Bearer " + key, "Accept": "application/json"}
        if language:
            self._headers["Accept-Language"] = language
        self._timeout, self._attempts, self._max_wait = timeout, attempts, max_wait
        self._idle: collections.deque = collections.deque(maxlen=64)  # its operations are atomic

    def balance(self, user: User) -> dict:
        """creditsBalance, heldCredits and availableCredits."""
        named = {name: user[name] for name in ("userId", "email") if user.get(name)}
        return self._call("GET", "/api/credits/balance?" + urllib.parse.urlencode(named))

    def spend(self, feature: str, user: User, *, metadata: Optional[dict] = None, idempotency_key: str = "") -> dict:
        """Takes what the feature costs, once per key: transactionId, deltaCredits, creditsBalance, replayed."""
        body = {**user, "feature": feature, **({"metadata": metadata} if metadata else {})}
        return self._call("POST", "/api/credits/spend", body, idempotency_key or str(uuid.uuid4()))

    def hold(self, feature: str, user: User, *, ttl_seconds: int = 900, metadata: Optional[dict] = None, idempotency_key: str = "") -> dict:
        """Reserves what the feature costs. Whoever works for a replayed hold works twice for one price."""
        body = {**user, "feature": feature, "ttlSeconds": ttl_seconds, **({"metadata": metadata} if metadata else {})}
        return self._call("POST", "/api/credits/holds", body, idempotency_key or str(uuid.uuid4()))

    def capture(self, hold_id: str, credits: Optional[int] = None) -> dict:
        """Takes the held credits, or fewer. Again, it changes nothing."""
        return self._end(hold_id, "capture", None if credits is None else {"credits": credits})

    def release(self, hold_id: str) -> dict:
        """Gives the held credits back. Again, it changes nothing."""
        return self._end(hold_id, "release")

    def metered(self, feature: str, user: Any, *, ttl_seconds: int = 900) -> Callable[..., Iterator[Metered]]:
        """Makes a FastAPI dependency: hold before the handler, capture after it, release when it raises or marks failure.

        user is Depends(…) of your own dependency. Each request gets a hold of its own: a key that a browser may choose
        would let it have the work again for nothing. ttl_seconds must be longer than the handler can take.
        """

        def dependency(user: Any = user) -> Iterator[Metered]:
            metered = Metered(self.hold(feature, user, ttl_seconds=ttl_seconds))
            try:
                yield metered
            except BaseException:  # also a request that is cancelled
                self._give_back(metered)
                raise
            if metered.failed:
                self._give_back(metered)
            else:
                self.capture(metered.hold["holdId"])

        return dependency

    def _give_back(self, metered: Metered) -> None:
        """Releases a hold. If that fails, its end gives the credits back, and the handler's own error is worth more."""
        try:
            self.release(metered.hold["holdId"])
        except CreditsError as error:
            log.warning("a hold was not released and will expire: %s %s", error.code, error.request_id)

    def _end(self, hold_id: str, how: str, body: Optional[dict] = None) -> dict:
        return self._call("POST", "/api/credits/holds/" + urllib.parse.quote(hold_id, safe="") + "/" + how, body)

    def _call(self, method: str, path: str, body: Optional[dict] = None, key: str = "") -> dict:
        """Sends until it is answered for good: again, with the same key, after a network error, 429, 503, and a 409
        that says when to come back."""
        headers = dict(self._headers)
        if key:
            headers["Idempotency-Key"] = key
        text = None if body is None else json.dumps(body).encode()
        if text is not None:
            headers["Content-Type"] = "application/json"
        for attempt in range(1, self._attempts + 1):
            wait, error = 0.0, None
            try:
                status, answered, answer = self._send(method, path, text, headers)
            except (OSError, http.client.HTTPException) as cause:
                error = CreditsError(503, "UNREACHABLE", type(cause).__name__, None, "")
            else:
                if status < 300:
                    return {**json.loads(answer), "replayed": answered.get("Idempotent-Replayed") == "true"}
                error, wait = _refusal(status, answered, answer), _wait_of(status, answered)
            if wait is None or wait > self._max_wait or attempt >= self._attempts:
                break
            longest = 0.1 * 2 ** min(attempt - 1, 6)
            time.sleep(max(wait, random.uniform(longest / 2, longest)))
        raise error

    def _send(self, method: str, path: str, text: Optional[bytes], headers: dict) -> tuple:
        """One attempt, on a connection that is kept. urllib.request would close it after each call."""
        try:
            connection = self._idle.pop()
        except IndexError:
            kind = http.client.HTTPSConnection if self._base.scheme == "https" else http.client.HTTPConnection
            connection = kind(self._base.hostname, self._base.port, timeout=self._timeout)
        try:
            connection.request(method, self._base.path + path, text, headers)
            response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            self._idle.clear()  # what the server closed while it was idle, it closed for all
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return response.status, response.headers, answer


def _wait_of(status: int, headers: Any) -> Optional[float]:
    """How many seconds a refusal asks us to wait; None when it stands."""
    after = headers.get("Retry-After", "")
    if status not in (409, 429, 503) or (status == 409 and not after.isdigit()):
        return None
    return float(after) if after.isdigit() else 0.0


def _refusal(status: int, headers: Any, answer: bytes) -> CreditsError:
    """Reads an error; a proxy's, which has another shape, keeps its status."""
    try:
        envelope = json.loads(answer)
        error = envelope["error"]
        said = (error["code"], error["message"], error.get("detail"), envelope["request_id"])
    except (ValueError, KeyError, TypeError):
        said = (f"HTTP_{status}", http.client.responses.get(status, ""), None, headers.get("X-Request-ID", ""))
    return (PaymentRequired if status == 402 else CreditsError)(status, *said)
