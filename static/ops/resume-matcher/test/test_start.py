"""Tests of starts with the tenant add-on in PYTHONPATH. What cannot be kept apart ends with code 3 and a sentence."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import made_up_app

ADD_ON = Path(__file__).parents[1] / "tenant"

# SERVE imports the application and starts it, as uvicorn does, then sends one request.
SERVE = '''
import asyncio, importlib
app = importlib.import_module("app.main").app

async def serve():
    events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    async def receive():
        return next(events)
    async def send(message):
        print(message.get("status", message["type"]))
    health = {"type": "http", "method": "GET", "path": "/api/v1/health", "query_string": b"", "headers": []}
    await app(health, receive, send)
    await app({"type": "lifespan"}, receive, send)

asyncio.run(serve())
'''
SHARED_ROWS = '''
rows = []

async def create_resume(self, content):
    rows.append({"resume_id": content, "content": content})

async def list_resumes(self):
    return rows

Database.create_resume, Database.list_resumes = create_resume, list_resumes
'''
BACKGROUND = '''
class Worker(App):
    async def __call__(self, scope, receive, send):
        try:
            await db.list_resumes()
        except Exception:  # as a worker does that recovers its queue
            pass
        await super().__call__(scope, receive, send)

app = Worker()
'''
GOOD = {"RESUME_MATCHER_SECRET": "s" * 32}
CASES = {
    "good": (GOOD, {}, 0, ""),
    "no secret": ({}, {}, 3, "RESUME_MATCHER_SECRET must have"),
    "a short secret": ({"RESUME_MATCHER_SECRET": "s" * 31}, {}, 3, "RESUME_MATCHER_SECRET must have"),
    "PostgreSQL": (GOOD | {"DATABASE_URL": "postgresql://db/app"}, {}, 3, "DATABASE_URL is set"),
    "a background job": (GOOD, {"main": BACKGROUND}, 3, "db.list_resumes is used outside a user's request, as by a"),
    "a router's own": (GOOD, {"routers_health": "\nstore = Database('own.db')"}, 3, "app.routers.health opens"),
    "another module's": (GOOD, {"main": "\nimport plugin"}, 3, "plugin opens a database of its own"),
    "a second database": (GOOD, {"database": "\nsecond = Database('own.db')"}, 3, "app.database.second is a second"),
    "a renamed database": (GOOD, {"database": "\nstore, db = db, None"}, 3, "app.database has no db"),
    "a database without files": (GOOD, {"database": SHARED_ROWS}, 3, "users see each other's resumes"),
    "a database that fails": (GOOD, {"database": "\nDatabase.list_resumes = None"}, 3, "the self-check ended with"),
}


class StartTest(unittest.TestCase):
    def test_start(self):
        starts = {}
        for name, (environment, changes, *_) in CASES.items():
            folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
            made_up_app.write_app(folder, **changes)
            (folder / "plugin.py").write_text("from app.database import Database\nstore = Database('own.db')")
            environment = environment | {"DATA_DIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
                                         "PYTHONPATH": f"{ADD_ON}{os.pathsep}{folder}"}
            starts[name] = subprocess.Popen([sys.executable, "-c", SERVE], env=environment, cwd=folder,
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name, start in starts.items():
            _, _, code, sentence = CASES[name]
            with self.subTest(name):
                out, err = start.communicate()
                self.assertEqual(start.returncode, code, err)
                self.assertIn(sentence, err)
                if code == 0:
                    served = ["503", "http.response.body", "lifespan.startup.complete", "lifespan.shutdown.complete"]
                    self.assertEqual(out.split(), served, "served before, at and after the start")
                else:
                    self.assertNotIn("lifespan", out, "a refused start went on")


if __name__ == "__main__":
    unittest.main()
