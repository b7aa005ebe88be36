"""Tests of the tenant add-on in front of a made-up Resume Matcher."""

import asyncio
import contextlib
import importlib
import json
import os
import runpy
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

import made_up_app

ADD_ON = Path(__file__).parents[1] / "tenant"
sys.path.insert(0, str(ADD_ON))
runpy.run_path(str(ADD_ON / "sitecustomize.py"))  # as Python does for a folder in PYTHONPATH
import credits_tenant  # noqa: E402

SECRET, CLOCK = "s" * 32, credits_tenant.clock
ANNA, BERT = "anna" + "a" * 22, "bert" + "2" * 22
CROWD = [f"user{number:022}" for number in range(24)]


class TenantTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # it reports what a busy machine delays
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        made_up_app.write_app(self.folder)
        environment = {"DATA_DIR": str(self.folder), "RESUME_MATCHER_SECRET": SECRET}
        self.enterContext(mock.patch.dict(os.environ, environment))
        self.enterContext(mock.patch.object(sys, "path", [str(self.folder), *sys.path]))
        self.enterContext(mock.patch.object(sys, "dont_write_bytecode", True))
        for name in [name for name in sys.modules if name.split(".")[0] == "app"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        self.app = importlib.import_module("app.main").app
        self.database, self.router = sys.modules["app.database"], sys.modules["app.routers.health"]
        started, self.events = asyncio.get_running_loop().create_future(), asyncio.Queue()

        async def send(_):
            started.done() or started.set_result(None)

        self.lifespan = asyncio.ensure_future(self.app({"type": "lifespan"}, self.events.get, send))
        self.events.put_nowait({"type": "lifespan.startup"})
        await asyncio.wait({self.lifespan, started}, return_when=asyncio.FIRST_COMPLETED)
        self.assertFalse(self.lifespan.done(), "the start failed")

    async def asyncTearDown(self):
        self.events.put_nowait({"type": "lifespan.shutdown"})
        await self.lifespan
        self.assertEqual(self.database.Database.alive, 0, "databases open after the shutdown")

    async def send(self, route, user=ANNA, body="", headers=None, client="10.0.0.9"):
        """Send a request as a user and return the status, the JSON of the answer, and the users that it names."""
        method, target = route.split(" ")
        path, _, query = ("/api/v1/" + target).partition("?")
        if headers is None:
            headers = [("X-Credits-User", user), ("X-Credits-Secret", SECRET)]
        sent = []

        async def receive():
            return {"type": "http.request", "body": body.encode()}

        async def send(message):
            sent.append(message)

        await self.app({"type": "http", "method": method, "path": path, "query_string": query.encode(),
                        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
                        "client": (client, 1)}, receive, send)
        named = [value.decode() for name, value in sent[0]["headers"] if name == b"x-credits-user"]
        return sent[0]["status"], json.loads(sent[1]["body"]), named

    async def upload(self, user, content="CV"):
        return (await self.send("POST resumes/upload", user, content))[1]["resume_id"]

    @contextlib.asynccontextmanager
    async def pdf_running(self, resume, user=ANNA):
        self.router.gate = asyncio.get_running_loop().create_future()
        running = asyncio.ensure_future(self.send(f"GET resumes/{resume}/pdf", user))
        await self.router.gate
        yield
        running.cancel()
        await asyncio.wait([running])

    async def test_no_operation_reaches_another_users_resume(self):
        resume = await self.upload(ANNA)
        for route, body, want in (
            ("GET resumes/list", "", (200, [])),
            ("GET session", "", (200, [])),
            (f"GET resumes?resume_id={resume}", "", (404, None)),
            (f"GET resumes/{resume}", "", (404, None)),
            (f"GET resumes/{resume}/pdf", "", (404, None)),
            (f"PATCH resumes/{resume}", "Bert's", (404, None)),
            (f"DELETE resumes/{resume}", "", (404, None)),
        ):
            self.assertEqual(await self.send(route, BERT, body), (*want, [BERT]), route)
        self.assertEqual(await self.send("GET session"), (200, ["CV"], [ANNA]))
        self.assertEqual(await self.send(f"PATCH resumes/{resume}", ANNA, "New"),
                         (200, {"resume_id": resume, "content": "New"}, [ANNA]))
        self.assertEqual((await self.send(f"DELETE resumes/{resume}"))[0], 200)

    async def test_24_users_at_once_are_never_mixed_while_databases_open_and_close(self):
        for most, idle in ((4, 300), (64, -1)):
            self.database.Database.most = 0
            with mock.patch.multiple(credits_tenant, MAX_OPEN=most, IDLE=idle):
                await asyncio.gather(*(self.upload(user, user) for _ in range(6) for user in CROWD))
                lists = await asyncio.gather(*(self.send("GET resumes/list", user) for user in CROWD))
            for user, (status, rows, named) in zip(CROWD, lists):
                self.assertEqual((status, {row["content"] for row in rows}, named), (200, {user}, [user]))
                self.assertEqual(len(rows) % 6, 0, f"resumes of {user}")
            self.assertLessEqual(self.database.Database.most, most + 1, "databases open at once, with the operator's")

    async def test_unused_database_is_closed_when_another_opens(self):
        await self.upload(ANNA)
        alive = self.database.Database.alive
        with mock.patch.object(credits_tenant, "clock", lambda: CLOCK() + 301):
            await self.upload(BERT)
            self.assertEqual(self.database.Database.alive, alive, "databases open after five minutes")
            self.assertEqual(len((await self.send("GET resumes/list"))[1]), 1, "Anna's resumes")

    async def test_identity_is_one_secret_and_one_user(self):
        user, secret = ("X-Credits-User", ANNA), ("X-Credits-Secret", SECRET)
        for name, route, headers, status, named in (
            ("none", "GET resumes/list", [], 401, []),
            ("none, for health", "GET health", [], 200, []),
            ("none, for the tenant", "GET credits-tenant", [], 401, []),
            ("none, to be forgotten", "DELETE credits-tenant", [], 401, []),
            ("no user", "GET resumes/list", [secret], 401, []),
            ("no user, for health", "GET health", [secret], 200, []),
            ("no user, for the tenant", "GET credits-tenant", [secret], 200, []),
            ("no user, to be forgotten", "DELETE credits-tenant", [secret], 401, []),
            ("no secret", "GET resumes/list", [user], 403, []),
            ("no secret, for health", "GET health", [user], 403, []),
            ("wrong secret", "GET resumes/list", [user, ("X-Credits-Secret", "t" * 32)], 403, []),
            ("empty secret", "GET resumes/list", [user, ("X-Credits-Secret", "")], 403, []),
            ("odd secret", "GET resumes/list", [user, ("X-Credits-Secret", "\xe9" * 32)], 403, []),
            ("secret twice", "GET resumes/list", [user, secret, secret], 403, []),
            ("user twice", "GET resumes/list", [user, user, secret], 403, []),
            ("two users", "GET resumes/list", [user, ("X-Credits-User", BERT), secret], 403, []),
            ("one", "GET resumes/list", [user, secret], 200, [ANNA]),
            ("one, for health", "GET health", [user, secret], 200, [ANNA]),
            ("one, for the tenant", "GET credits-tenant", [user, secret], 200, [ANNA]),
            ("one, nothing there", "GET resumes/nothing", [user, secret], 404, [ANNA]),
        ):
            got = await self.send(route, headers=headers)
            self.assertEqual((got[0], got[2]), (status, named), name)
        for odd in ("", "a" * 25, "a" * 27, "A" * 26, "../" + "a" * 23, ANNA + "\n", f"{ANNA}, {BERT}", "\xe9" * 26):
            self.assertEqual((await self.send("GET resumes/list", odd))[0], 403, repr(odd))
        self.assertFalse((self.folder / "tenants" / BERT).exists(), "a refused request made a folder")

    async def test_database_is_refused_outside_a_request(self):
        with self.assertRaisesRegex(RuntimeError, "db.list_resumes is used outside"):
            await self.database.db.list_resumes()
        await self.send("GET later")
        self.assertRegex(await self.router.later.task, "db.list_resumes is used outside")
        with self.assertRaisesRegex(RuntimeError, "app.routers.health opens a database of its own"):
            await self.send("GET own")

    async def test_forgetting_a_user_deletes_the_folder_once_nothing_runs(self):
        resume = await self.upload(ANNA)
        await self.upload(BERT)
        async with self.pdf_running(resume):
            self.assertEqual((await self.send("DELETE credits-tenant"))[::2], (409, [ANNA]))
        with credits_tenant.Request(ANNA):
            left = asyncio.ensure_future(self.database.db.list_resumes())
        await asyncio.sleep(0)
        self.assertEqual((await self.send("DELETE credits-tenant"))[0], 409, "while a call outlives its request")
        self.assertEqual(len(await left), 1, "resumes after the refusals")
        for _ in range(2):
            self.assertEqual(await self.send("DELETE credits-tenant"), (200, {"message": "Tenant deleted"}, [ANNA]))
            self.assertFalse((self.folder / "tenants" / ANNA).exists(), "folder of a forgotten user")
        self.assertEqual((await self.send("GET resumes/list"))[1], [])
        self.assertEqual(len((await self.send("GET resumes/list", BERT))[1]), 1, "Bert's resumes")

    async def test_print_page_reads_a_resume_while_its_owners_request_runs(self):
        resume, other = await self.upload(ANNA), await self.upload(ANNA)
        read, here = f"GET resumes?resume_id={resume}", "127.0.0.1"
        for when, want in (("before", 401), ("during", 200), ("after", 401)):
            async with self.pdf_running(resume) if when == "during" else contextlib.nullcontext():
                self.assertEqual((await self.send(read, headers=[], client=here))[::2], (want, []), when)
        async with self.pdf_running(resume):
            for route, headers, client in (
                (read, [], "10.0.0.9"),
                (read, [("X-Forwarded-Host", "example.com")], here),
                (read + "&resume_id=" + other, [], here),
                (f"GET resumes?resume_id={other}", [], here),
                (f"GET resumes/{resume}", [], here),
                (f"DELETE resumes?resume_id={resume}", [], here),
                ("GET resumes/list", [], here),
            ):
                got = await self.send(route, headers=headers, client=client)
                self.assertEqual(got[0], 401, f"{route} from {client} with {headers}")
        async with self.pdf_running(resume, BERT):
            self.assertEqual((await self.send(read, headers=[], client=here))[0], 401, "while Bert asks for Anna's")
        for client, want in ((here, 200), ("10.0.0.9", 401)):
            got = await self.send("GET resumes/render-drafts/token", headers=[], client=client)
            self.assertEqual(got[0], want, f"draft from {client}")

    async def test_model_is_asked_once_a_minute_for_all_users(self):
        await self.upload(ANNA)
        for later in (0, 61):
            with mock.patch.object(credits_tenant, "clock", lambda: CLOCK() + later):
                answers = await asyncio.gather(*(self.send("GET status", user) for user in [ANNA, *CROWD]))
            self.assertEqual([body["total"] for _, body, _ in answers], [1] + [0] * len(CROWD), "counts of each user")
            self.assertEqual(self.router.asked, 1 + later // 61, "questions to the model")

    async def test_keys_of_providers_stay_the_operators(self):
        self.database.db.set_api_key("openai", "sealed")
        with credits_tenant.Request(ANNA):
            self.assertEqual(self.database.db.get_api_keys(), {"openai": "sealed"})
        self.assertFalse((self.folder / "tenants" / ANNA).exists(), "a key made a user's folder")

    async def test_description_lists_the_operations(self):
        want = {"version": "1", "resume_matcher": "1.2.0", "frontend": "http://localhost:3000",
                "operations": ["GET /api/v1/resumes", "GET /api/v1/status"]}
        config = types.SimpleNamespace(settings=types.SimpleNamespace(frontend_base_url="http://localhost:3000"))
        with mock.patch.dict(sys.modules, {"app.config": config}):
            self.assertEqual((await self.send("GET credits-tenant"))[1], want)

    async def test_proxy_keeps_no_state(self):
        with self.assertRaises(AttributeError):
            self.database.db.last_resume = "Anna's"


if __name__ == "__main__":
    unittest.main()
