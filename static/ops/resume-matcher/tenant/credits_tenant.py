"""The tenant add-on gives each user of an unmodified Resume Matcher a database of their own. A proxy in place of its
one database selects that of the request's user; a wrapper around its application refuses requests without an identity.
What cannot be kept apart stops the start with exit code 3 and a sentence."""

import asyncio
import contextlib
import contextvars
import hmac
import inspect
import json
import os
import re
import shutil
import sys
import types
import urllib.parse
from pathlib import Path
from time import monotonic as clock

VERSION = "1"
USER, SECRET = b"x-credits-user", b"x-credits-secret"
VALID_USER = re.compile(rb"[a-z0-9]{26}")
HEALTH, RESUMES, TENANT = "/api/v1/health", "/api/v1/resumes", "/api/v1/credits-tenant"
ONE_RESUME = re.compile(RESUMES + "/([^/]+)/.+")
DRAFT = re.compile(RESUMES + "/render-drafts/[^/]+")
MAX_OPEN = 64  # databases; a request beyond that waits for an idle one
IDLE = 300  # seconds after which an unused database is closed when another is opened
HEALTH_AGE = 60  # seconds for which all users get the same answer about the model

current = contextvars.ContextVar("credits_tenant_request", default=None)
running = set()  # requests


def refuse(reason):
    """End the process. An exception is not enough: uvicorn ignores those of an application's lifespan."""
    print(f"credits-tenant: {reason}", file=sys.stderr, flush=True)
    os._exit(3)


class Request:
    """A request of a user, which runs within its block. resume is the id in its path, if any."""

    def __init__(self, user, resume=None):
        self.user, self.resume = user, resume

    def __enter__(self):
        running.add(self)
        self.token = current.set(self)

    def __exit__(self, *_):
        current.reset(self.token)
        running.remove(self)


class Tenants:
    """The databases of the users, opened when needed. main is the operator's."""

    def __init__(self, main, kind):
        self.main, self.kind, self.construct = main, kind, kind.__init__
        self.folder, self.file = Path(main.db_path).parent / "tenants", Path(main.db_path).name
        self.open = {}  # by user, the one used longest ago first
        self.turn, self.freed, self.started = asyncio.Lock(), asyncio.Event(), False

    def reject(self, reason):
        """End a start that cannot keep users apart; once started, fail the work that tries."""
        if not self.started:
            refuse(reason)
        raise RuntimeError(f"credits-tenant: {reason}")

    def entry(self, user):
        if not (entry := self.open.pop(user, None)):
            (self.folder / user).mkdir(mode=0o700, parents=True, exist_ok=True)
            entry = types.SimpleNamespace(database=object.__new__(self.kind), calls=0)
            self.construct(entry.database, db_path=self.folder / user / self.file)
        self.open[user], entry.used = entry, clock()
        return entry

    async def call(self, user, name, /, *args, **kwargs):
        """Call a method of the user's database, which stays open meanwhile."""
        async with contextlib.nullcontext() if user in self.open else self.turn:
            await self.make_room(user)
            entry = self.entry(user)
            entry.calls += 1
        try:
            return await getattr(entry.database, name)(*args, **kwargs)
        finally:
            entry.calls -= 1
            self.freed.set()

    async def make_room(self, user):
        """Close idle databases. Other requests run during each await, so look anew after it."""
        while user not in self.open:
            idle = next((one for one, entry in self.open.items() if not entry.calls), None)
            full = len(self.open) >= MAX_OPEN
            if idle and (full or clock() - self.open[idle].used > IDLE):
                await self.open.pop(idle).database.close()
            elif not full:
                return
            else:
                self.freed.clear()
                await self.freed.wait()

    async def forget(self, user):
        """Delete all that a user has, and report whether that was possible: not while a request or a call runs."""
        async with self.turn:
            while not any(request.user == user for request in running):
                if user not in self.open:
                    shutil.rmtree(self.folder / user, ignore_errors=True)
                    return not (self.folder / user).exists()
                if self.open[user].calls:
                    break
                await self.open.pop(user).database.close()
            return False

    async def close(self):
        while self.open:
            await self.open.popitem()[1].database.close()
        await self.main.close()


class Proxy:
    """Proxy stands in for app.database.db. API keys stay in the operator's database; all else is the user's."""
    __slots__ = ("_tenants",)

    def __init__(self, tenants):
        self._tenants = tenants

    def __getattr__(self, name):
        tenants, request = self._tenants, current.get()
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "close":
            return tenants.close
        if "api_key" in name:
            return getattr(tenants.main, name)
        if request not in running:
            tenants.reject(f"db.{name} is used outside a user's request, as by a background job")
        if inspect.iscoroutinefunction(getattr(tenants.kind, name, None)):
            return lambda *args, **kwargs: tenants.call(request.user, name, *args, **kwargs)
        return getattr(tenants.entry(request.user).database, name)


def protect_database(module):
    """Replace the database of app.database before any other module can import it."""
    settings = getattr(sys.modules.get("app.config"), "settings", None)
    if os.environ.get("DATABASE_URL") or getattr(settings, "database_url", None):
        refuse("DATABASE_URL is set, but users can be kept apart in SQLite only: unset it")
    main, kind = getattr(module, "db", None), getattr(module, "Database", None)
    if not inspect.isclass(kind) or type(main) is not kind or not getattr(main, "db_path", None):
        refuse("app.database has no db of class Database with a file: this version of Resume Matcher is not supported")
    tenants = Tenants(main, kind)
    kind.__init__ = lambda *_, **__: tenants.reject(
        f"{sys._getframe(1).f_globals['__name__']} opens a database of its own, which all users would share")
    for name, value in list(vars(module).items()):
        if value is main:
            setattr(module, name, Proxy(tenants))
        elif isinstance(value, kind):
            refuse(f"app.database.{name} is a second database, which all users would share")


def protect_main(module):
    """Wrap app.main:app, which uvicorn serves."""
    secret = os.environ.get("RESUME_MATCHER_SECRET", "")
    if len(secret) < 32:
        refuse("RESUME_MATCHER_SECRET must have at least 32 characters and be equal on both sides")
    proxy = getattr(sys.modules.get("app.database"), "db", None)
    if not isinstance(proxy, Proxy):
        refuse("app.main does not use app.database.db: this version of Resume Matcher is not supported")
    health = sys.modules.get("app.routers.health")
    if hasattr(health, "check_llm_health"):
        health.check_llm_health = asked_rarely(health.check_llm_health)
    module.app = AddOn(module.app, proxy, secret.encode())


def asked_rarely(check):
    """Share one question to the model among all callers of a minute."""
    asked, answer = 0.0, None

    async def shared(*args, **kwargs):
        nonlocal asked, answer
        if answer is None or clock() - asked >= HEALTH_AGE:
            asked, answer = clock(), asyncio.ensure_future(check(*args, **kwargs))
        return dict(await asyncio.shield(answer))

    return shared


class AddOn:
    """The ASGI application around Resume Matcher's."""

    def __init__(self, app, database, secret):
        self.app, self.database, self.tenants, self.secret = app, database, database._tenants, secret

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.start(scope, receive, send)
        users, given = ([value for name, value in scope["headers"] if name.lower() == key] for key in (USER, SECRET))
        one = len(given) == 1 and len(users) <= 1 and all(VALID_USER.fullmatch(user) for user in users)
        user, asked = users[0].decode("latin-1") if users else "", (scope["method"], scope["path"])

        async def send_named(message):
            """Repeat the user in an answer, so that the gate notices one that the add-on has not seen."""
            if user and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (USER, user.encode())]}
            await send(message)

        if not self.tenants.started:
            await answer(send, 503, {"detail": "The tenant add-on has not checked this server"})
        elif (users or given) and not (one and hmac.compare_digest(given[0], self.secret)):
            await answer(send, 403, {"detail": "Identity refused"})
        elif given and asked == ("GET", TENANT):
            known, settings = self.app.openapi(), getattr(sys.modules.get("app.config"), "settings", None)
            operations = sorted(f"{method.upper()} {path}" for path, item in known["paths"].items() for method in item)
            await answer(send_named, 200, {"version": VERSION, "resume_matcher": known.get("info", {}).get("version", ""),
                                           "frontend": getattr(settings, "frontend_base_url", ""),
                                           "operations": operations})
        elif user and asked == ("DELETE", TENANT):
            forgotten = await self.tenants.forget(user)
            await answer(send_named, *((200, {"message": "Tenant deleted"}) if forgotten else
                                       (409, {"detail": "A request of this user is running"})))
        elif user:
            found = ONE_RESUME.fullmatch(scope["path"])
            with Request(user, found and found[1]):
                await self.app(scope, receive, send_named)
        elif scope["path"] == HEALTH:
            await self.app(scope, receive, send)
        elif (reader := await self.print_page(scope)):
            with reader:
                await self.app(scope, receive, send)
        else:
            await answer(send, 401, {"detail": "Identity required"})

    async def print_page(self, scope):
        """Return the context in which to serve a read by Resume Matcher's print page, which sends no identity: that
        of the resume's owner, while the owner has a request for it running. None refuses the read. Next.js adds headers
        to requests that it passes on from a browser."""
        passed_on = any(name.lower().startswith((b"x-forwarded", b"forwarded")) for name, _ in scope["headers"])
        here = (scope.get("client") or [""])[0] in ("127.0.0.1", "::1", "::ffff:127.0.0.1")
        if scope["method"] != "GET" or passed_on or not here:
            return
        if DRAFT.fullmatch(scope["path"]):
            return contextlib.nullcontext()
        ids = urllib.parse.parse_qs(scope["query_string"].decode("latin-1")).get("resume_id")
        for user in {one.user for one in running if scope["path"] == RESUMES and ids == [one.resume]}:
            with Request(user):
                if await self.database.get_resume(ids[0]):
                    return Request(user)

    async def start(self, scope, receive, send):
        async def send_checked(message):
            if message["type"] == "lifespan.startup.complete":
                await self.check()
            await send(message)

        if scope["type"] == "lifespan":  # a WebSocket is refused
            await self.app(scope, receive, send_checked)

    async def check(self):
        """Make up two users before the server accepts requests: each must see only their own resume."""
        users, seen = [os.urandom(13).hex() for _ in range(2)], []
        try:
            for user in users:
                with Request(user):
                    await self.database.create_resume(content=user)
            for user in users:
                with Request(user):
                    seen.append([row["content"] for row in await self.database.list_resumes()])
                await self.tenants.forget(user)
        except Exception as error:
            refuse(f"the self-check ended with {error!r}")
        if seen != [[user] for user in users]:
            refuse("the self-check found that users see each other's resumes, or miss their own")
        self.tenants.started = True


async def answer(send, status, content):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})
